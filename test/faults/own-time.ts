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
