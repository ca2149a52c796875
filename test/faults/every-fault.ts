import { backlogFaults } from './backlog';
import { crashPoints } from './crash-points';
import { damagedStore } from './damaged-store';
import { databaseFaults } from './database-faults';
import { duplicates } from './duplicates';
import type { Fault } from './fault';
import { kills } from './kills';
import { poison } from './poison';
import { readModelFaults } from './read-model-faults';
import { severalProcessesFaults } from './several-processes';
import { snapshots } from './snapshots';
import { storeFaults } from './store-faults';
import { writers } from './writers';

const byKind = {
  kills,
  crashPoints,
  storeFaults,
  databaseFaults,
  severalProcessesFaults,
  readModelFaults,
  backlogFaults,
  damagedStore,
  snapshots,
  duplicates,
  poison,
  writers,
};

/** All faults by kind. Rounds take the kinds in turn, so that a short run has seen something of each. */
export const everyFault: readonly (readonly Fault[])[] = Object.values(byKind);
