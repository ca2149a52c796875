import { backlogFaults } from './backlog';
import { clocks } from './clocks';
import { crashPoints } from './crash-points';
import { damagedFiles } from './damaged-files';
import { damagedStore } from './damaged-store';
import { databaseFaults } from './database-faults';
import { fullDisk } from './disk-full';
import { duplicates } from './duplicates';
import type { Fault } from './fault';
import { kills } from './kills';
import { later } from './later-versions';
import { lost } from './lost-answers';
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
  damagedFiles,
  snapshots,
  duplicates,
  poison,
  later,
  writers,
  lost,
  clocks,
  fullDisk,
};

/** All faults by kind. Rounds take the kinds in turn, in this order: a short run has seen something of the first ones. */
export const everyFault: readonly (readonly Fault[])[] = Object.values(byKind);
