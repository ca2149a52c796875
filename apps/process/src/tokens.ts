/** Injection tokens of values that are interfaces only. */
export const LOGGER = Symbol('Logger');
export const STORE = Symbol('EventStore');
export const DATABASE = Symbol('Database');
