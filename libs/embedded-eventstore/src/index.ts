export { startEventStore, type EventStoreOptions, type RunningEventStore } from './server';
export { startEventStoreWorker } from './worker';
export type { Faults, FaultSwitches } from './faults';
export { DirectoryInUse } from './directory-lock';
export { DamagedStore } from './open';
