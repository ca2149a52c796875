import { crashPoints } from './crash-points';
import { damagedStore } from './damaged-store';
import { databaseFaults } from './database-faults';
import type { Fault } from './fault';
import { kills } from './kills';
import { readModelFaults } from './read-model-faults';
import { storeFaults } from './store-faults';

const byKind = {
  kills,
  crashPoints,
  storeFaults,
  databaseFaults,
  readModelFaults,
  damagedStore,
};

/** All faults by kind. Rounds take the kinds in turn, so that a short run has seen something of each. */
export const everyFault: readonly (readonly Fault[])[] = Object.values(byKind);
