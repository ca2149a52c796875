import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { type AnyDatabase, feedTables } from './projection-tables';

/** How current a model's rows are. */
export interface AsOf {
  /** The rows hold everything up to this log position; undefined: nothing yet. */
  readonly position: bigint | undefined;
  /** Ms since the rows last held everything that was in the store. Noted about once a second when nothing happens. */
  readonly lagMs: number;
  /** Streams that wait because the model failed on one of their events. */
  readonly incomplete: number;
  /** `building`: the rows are those of another build, or there are none yet. */
  readonly state: 'live' | 'building';
}

const NEVER: AsOf = { position: undefined, lagMs: Number.MAX_SAFE_INTEGER, incomplete: 0, state: 'building' };
/** Of a table or a schema that is not there (yet). */
const MISSING = ['42P01', '3F000'];

/** How current a model is; to be asked before its rows are read, which then hold at least that. */
export async function asOf(db: AnyDatabase, schema: string, projection: string): Promise<AsOf> {
  const t = feedTables(schema);
  try {
    const { rows } = await sql<{
      position: bigint | null;
      lag: number | null;
      incomplete: number;
      built: boolean;
      stopped_at: bigint | null;
    }>`select position, greatest(0, extract(epoch from clock_timestamp() - caught_up_at) * 1000)::float8 as lag,
        (select count(*)::int4 from ${t.parked} where projection = ${projection}) as incomplete,
        m.name is not null as built, m.stopped_at
      from ${t.feed} left join ${t.models} m on m.name = ${projection}`.execute(db);
    const row = rows[0];
    if (!row) return NEVER;
    return {
      position: row.built ? (row.stopped_at ?? row.position ?? undefined) : undefined,
      lagMs: row.lag === null ? NEVER.lagMs : Math.round(row.lag),
      incomplete: row.incomplete,
      state: row.built && row.stopped_at === null ? 'live' : 'building',
    };
  } catch (error) {
    if (MISSING.includes((error as { code?: string }).code ?? '')) return NEVER;
    throw error;
  }
}

/** Waits for positions from any process; however many wait, one of them asks the database. */
export class ProjectionWatch {
  readonly #projections = new Map<string, Promise<AsOf>>();

  constructor(
    private readonly db: AnyDatabase,
    private readonly schema: string,
    private readonly pollMs = 10,
  ) {}

  /** How current a model is; questions asked at the same time share one answer. */
  asOf(projection: string): Promise<AsOf> {
    let asking = this.#projections.get(projection);
    if (!asking) {
      asking = asOf(this.db, this.schema, projection).finally(() => this.#projections.delete(projection));
      this.#projections.set(projection, asking);
    }
    return asking;
  }

  /** True once the model holds everything up to `position`; false when it does not within `timeoutMs`. Throws a database error. */
  async waitFor(projection: string, position: bigint, timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    for (let pause = this.pollMs; ; pause = Math.min(100, pause * 1.5)) {
      const seen = await this.asOf(projection);
      if (seen.position !== undefined && seen.position >= position) return true;
      const left = until - performance.now();
      if (left <= 0) return false;
      await delay(Math.min(pause, left));
    }
  }
}
