import { availableParallelism, loadavg } from 'node:os';

/**
 * Time as this process gets it, in ms: a tick of 50 ms counts for no more than 75, however late it comes. On a machine
 * that has too much to do it runs slower than the clock, as the service under test does: bars in it measure the service.
 */
export function ownTime(): number {
  timer ??= setInterval(tick, 50).unref();
  return lived + Math.min(75, performance.now() - before);
}

let timer: NodeJS.Timeout | undefined;
let lived = 0;
let before = performance.now();

function tick(): void {
  const now = performance.now();
  lived += Math.min(75, now - before);
  before = now;
}

/** How many times what a round itself keeps busy is running on this machine: bars in time are wider by it. 1 when idle. */
export function crowding(): number {
  return Math.max(1, (loadavg()[0] ?? 0) / (2 * availableParallelism()));
}
