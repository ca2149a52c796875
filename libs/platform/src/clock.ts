/** Business time: what commands are dated with. Timers, leases and deadlines use the machine's own. */
export abstract class Clock {
  /** ISO 8601 UTC in milliseconds, always of the form `2026-01-31T09:00:00.000Z`. */
  abstract now(): Promise<string>;
}

export class SystemClock extends Clock {
  now(): Promise<string> {
    return Promise.resolve(new Date().toISOString());
  }
}
