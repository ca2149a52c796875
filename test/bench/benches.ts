import { billingRun } from './billing-run';
import type { Bench } from './figure';
import { fold } from './fold';
import { hotStream } from './hot-stream';
import { httpCommands } from './http-commands';
import { loadByLength } from './load-by-length';
import { memory } from './memory';
import { projectionRebuild } from './projection-rebuild';
import { readLag } from './read-lag';
import { usageIngest } from './usage-ingest';

/** Every benchmark, in the order of the run. */
export const benches: readonly Bench[] = [
  httpCommands,
  hotStream,
  readLag,
  fold,
  loadByLength,
  projectionRebuild,
  billingRun,
  usageIngest,
  memory,
];
