import { billingProjections } from '@perennial/billing-read-models';
import { type EventStore, ProjectionWatch, diffProjection } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { aggregates } from './aggregates';

/** The read models that are to be compared with the streams. */
export interface ReadModelsUnderAudit {
  readonly db: Kysely<unknown>;
  readonly schema: string;
  /** Resolves once every projection has read up to the position, or with how far the last one has come in time. */
  seen(position: bigint): Promise<bigint>;
  /** Rebuilds every model beside the live one and compares row by row at one position; one sentence a difference. */
  diff(): Promise<readonly { readonly model: string; readonly message: string }[]>;
}

/** Every read model of billing in a schema. `waitMs`: how long the projections may take to catch up. */
export function readModelsUnderAudit(o: {
  readonly db: Kysely<unknown>;
  readonly schema: string;
  readonly store: EventStore;
  readonly prefix: string;
  readonly waitMs: number;
}): ReadModelsUnderAudit {
  const { db, schema, store, prefix, waitMs } = o;
  const watch = new ProjectionWatch(db, schema);
  const catalogs = Object.fromEntries([...aggregates].map(([name, { catalog }]) => [name, catalog]));
  return {
    db,
    schema,
    async seen(position) {
      const seen = await Promise.all(
        billingProjections.map(async ({ name }) =>
          (await watch.waitFor(name, position, waitMs)) ? position : ((await watch.asOf(name)).position ?? -1n),
        ),
      );
      return seen.reduce((least, each) => (each < least ? each : least), position);
    },
    async diff() {
      const found: { model: string; message: string }[] = [];
      for (const projection of billingProjections) {
        const context = { db, schema, store, streamPrefix: prefix, catalogs };
        const { differences } = await diffProjection(context, projection);
        for (const { table, side, row } of differences)
          found.push({ model: `${projection.name}/${table}`, message: `only ${side}: ${JSON.stringify(row)}` });
      }
      return found;
    },
  };
}
