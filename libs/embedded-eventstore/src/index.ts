export { startEventStore, type EventStoreOptions, type RunningEventStore } from './server';
export type { Faults, FaultSwitches } from './faults';
