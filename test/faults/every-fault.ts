import { crashPoints } from './crash-points';
import { damagedStore } from './damaged-store';
import { databaseFaults } from './database-faults';
import { duplicates } from './duplicates';
import type { Fault } from './fault';
import { kills } from './kills';
import { poison } from './poison';
import { snapshots } from './snapshots';
import { storeFaults } from './store-faults';
import { writers } from './writers';

/** All faults by kind. Rounds take the kinds in turn, so that a short run has seen something of each. */
export const everyFault: readonly (readonly Fault[])[] = [
  kills,
  crashPoints,
  storeFaults,
  databaseFaults,
  damagedStore,
  snapshots,
  duplicates,
  poison,
  writers,
];
