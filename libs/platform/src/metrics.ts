import { collectDefaultMetrics, register } from 'prom-client';

/** The process's metrics; what counts something registers there where it counts (prom-client's default registry). */
export const registry = register;

let started = false;

/** Adds memory, event loop and garbage collection of this process, once. */
export function collectProcessMetrics(): void {
  if (started) return;
  started = true;
  collectDefaultMetrics({ register: registry });
}
