import { addHours } from '../calendar';
import { DomainError } from '../domain-error';
import type { Price } from '../price/price';
import type { SealedUsage, UsageEvent } from './events';
import { meter, type NewMeter } from './meter';
import {
  countLateUsage,
  recordTokens,
  recordUsage,
  valueTokens,
  type RecordAnswer,
  type UsageMemory,
  type UsagePeriod,
} from './record-usage';
import { cutMovesNothing, cutUsage, recount, sealedUsage, sealUsage, type Carried } from './seal-usage';
import { evolveUsage, usageType, type Usage } from './usage';
import type { UsageRecord } from './usage-record';

/** An instant of a day of January 2026, or of the days after it. */
export const day = (n: number, hours = 0) => addHours('2026-01-01T00:00:00.000Z', (n - 1) * 24 + hours);

/** Thirty days from 1 January 2026, all meters in every segment unless `segments` says which. */
export function periodOf(
  meters: readonly NewMeter[],
  over: Partial<Omit<UsagePeriod, 'segments' | 'meters'>> & {
    readonly segments?: readonly (readonly [from: string, ...keys: string[]])[];
    readonly first?: number;
  } = {},
): UsagePeriod {
  const { segments, first, ...rest } = over;
  const inUse = meters.map((each) => ({ meter: meter(each), ...(first !== undefined && { first }) }));
  const startsAt = rest.startsAt ?? day(1);
  const endsAt = rest.endsAt ?? day(31);
  const all = inUse.map((each) => each.meter.key);
  return {
    subscriptionId: 's-1',
    periodNumber: 1,
    startsAt,
    endsAt,
    whole: { from: startsAt, to: endsAt },
    meters: inUse,
    segments: (segments ?? [[startsAt, ...all]]).map(([from, ...keys]) => ({ from, meters: keys })),
    knownAt: 1,
    ...rest,
  };
}

/** The usage of one period with what its stream remembers, as the repository keeps it. */
export class UsageStream {
  state: Usage = usageType.initial;
  readonly events: UsageEvent[] = [];
  private readonly held = new Map<string, UsageEvent>();

  constructor(public period: UsagePeriod) {}

  /** What became of each record, by its code where it was refused. */
  record(
    records: readonly UsageRecord[],
    now: string,
    more: { readonly open?: UsagePeriod; readonly prices?: Readonly<Record<string, Price>> } = {},
  ): string[] {
    const { period } = this;
    const input = { records, period, prices: {}, ...more };
    const { events, answers } = recordUsage(this.state, input, this.memoryOf(records), now);
    this.add(events);
    return answers.map(shown);
  }

  countLate(records: readonly UsageRecord[], now: string, home = 0): void {
    this.add(countLateUsage(this.state, { home, records, period: this.period }, this.memoryOf(records), now));
  }

  /** Goes on under other terms, counting again what they move. */
  cut(period: UsagePeriod, now: string): void {
    this.period = { ...period, knownAt: this.period.knownAt + 1 };
    this.settle(now);
  }

  seal(now: string, carried: Carried = []): SealedUsage {
    try {
      this.add(sealUsage(this.state, this.period, carried, now));
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'usage-terms-differ') throw error;
      this.settle(now);
      this.add(sealUsage(this.state, this.period, carried, now));
    }
    if (this.state.status !== 'sealed') throw new Error('not sealed');
    return this.state.sealed;
  }

  /** What a seal would freeze. */
  soFar(carried: Carried = []): SealedUsage {
    if (this.state.status === 'none') throw new Error('nothing is recorded');
    return sealedUsage(this.state, carried);
  }

  private settle(now: string): void {
    if (this.state.status === 'none') return;
    const counted = recount(this.period);
    const moves = !cutMovesNothing(this.state, this.period);
    for (const event of moves ? this.events : []) counted.add(event);
    this.add(cutUsage(this.state, this.period, moves ? counted.measured() : undefined, now));
  }

  private memoryOf(records: readonly UsageRecord[]): UsageMemory {
    const known = recordTokens(records).flatMap((token) => {
      const event = this.held.get(token);
      return event ? [[token, event] as const] : [];
    });
    const values = valueTokens(records, this.period.meters).filter((token) => this.held.has(token));
    return { records: new Map(known), values: new Set(values) };
  }

  private add(events: readonly UsageEvent[]): void {
    for (const event of events) {
      this.state = evolveUsage(this.state, event);
      this.events.push(event);
      for (const token of usageType.remembers(event)) if (!this.held.has(token)) this.held.set(token, event);
    }
  }
}

const shown = (answer: RecordAnswer) =>
  answer.result === 'refused'
    ? answer.code
    : answer.result === 'late-accepted'
      ? `late-accepted in ${answer.countsIn}`
      : answer.result;

/** The quantity of a meter in each segment that has it. */
export function quantities({ segments }: SealedUsage, key: string): string[] {
  return segments.flatMap(({ meters }) => meters.flatMap((each) => (each.meter === key ? [each.quantity] : [])));
}
