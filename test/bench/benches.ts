import type { Bench } from './figure';
import { fold } from './fold';
import { billingRun } from './billing-run';
import { loadByLength } from './load-by-length';
import { projectionRebuild } from './projection-rebuild';

/** Every benchmark, in the order of the run. */
export const benches: readonly Bench[] = [fold, loadByLength, projectionRebuild, billingRun];
