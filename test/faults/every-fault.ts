import { damagedStore } from './damaged-store';
import type { Fault } from './fault';
import { kills } from './kills';

/** All faults by kind. Rounds take the kinds in turn, so that a short run has seen something of each. */
export const everyFault: readonly (readonly Fault[])[] = [kills, damagedStore];
