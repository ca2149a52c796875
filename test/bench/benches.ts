import { billingRun } from './billing-run';
import type { Bench } from './figure';
import { fold } from './fold';
import { hotStream } from './hot-stream';
import { httpCommands } from './http-commands';
import { loadByLength } from './load-by-length';
import { projectionRebuild } from './projection-rebuild';
import { readLag } from './read-lag';

/** Every benchmark, in the order of the run. */
export const benches: readonly Bench[] = [
  fold,
  loadByLength,
  httpCommands,
  hotStream,
  readLag,
  projectionRebuild,
  billingRun,
];
