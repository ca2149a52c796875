import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStore } from '@perennial/event-sourcing';
import { serversOf } from '../support/standalone';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { commandCounts } from './under-load';
import { auditDifferences, compareWithStore } from './oracles';
import { Standalone } from './standalone';

const hour = 3_600_000;
const day = 24 * hour;

/** recordedAt of every stream never decreases, though clocks do; gives those where it does. */
async function goesBack(eventstoreUrl: string): Promise<{ violations: string[]; held: number }> {
  const store = EventStore.connect({ url: eventstoreUrl });
  const caughtUp = new AbortController();
  const last = new Map<string, string>();
  const violations: string[] = [];
  let held = 0;
  try {
    const all = store.subscribe({
      from: 'start',
      prefixes: ['perennial.'],
      signal: caughtUp.signal,
      onCaughtUp: () => caughtUp.abort(),
    });
    for await (const { stream, revision, metadata } of all) {
      const { recordedAt } = (metadata ?? {}) as { recordedAt?: string };
      if (recordedAt === undefined) continue;
      const before = last.get(stream) ?? '';
      if (recordedAt < before) violations.push(`${stream}@${revision} was recorded at ${recordedAt}, after ${before}`);
      if (recordedAt === before) held += 1;
      last.set(stream, recordedAt);
    }
  } finally {
    await store.close();
  }
  return { violations, held };
}

/** Loaded before the program: its clock is wrong by as many ms as the file says. */
function wrongClock(directory: string): { preload: string; set: (offsetMs: number) => void } {
  const offset = join(directory, 'offset');
  const preload = join(directory, 'wrong-clock.cjs');
  const set = (offsetMs: number) => writeFileSync(offset, String(offsetMs));
  set(0);
  writeFileSync(
    preload,
    `const { readFileSync } = require('node:fs');
const Real = Date;
let by = 0;
let looked = -1000;
const offset = () => {
  const now = performance.now();
  if (now - looked > 20) {
    looked = now;
    by = Number(readFileSync(${JSON.stringify(offset)}, 'utf8')) || by;
  }
  return by;
};
globalThis.Date = class Date extends Real {
  constructor(...args) {
    if (args.length === 0) super(Real.now() + offset());
    else super(...args);
  }
  static now() {
    return Real.now() + offset();
  }
};\n`,
  );
  return { preload, set };
}

const systemClock: Fault = {
  name: 'system-clock-jumps',
  about:
    'the machine’s clock jumps forward and back by seconds to months under load: what was recorded never goes back in time, leases and commands do not mind',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const clock = wrongClock(directory);
    const env = { NODE_OPTIONS: `--require ${clock.preload}` };
    const standalone = await Standalone.start(directory, random, { env, testClock: false });
    const { callers, dataDir } = standalone;
    let jumps = 0;
    try {
      callers.start(16);
      for (let jump = 0; jump < 8; jump += 1) {
        await delay(random.between(150, 500));
        const offset =
          random.pick([-1, 1]) * random.pick([1_000, hour, day, 33 * day, 1 + random.between(0, 90 * day)]);
        say(`the clock is wrong by ${offset} ms`);
        clock.set(offset);
        jumps += 1;
      }
      await callers.stop();
      clock.set(100 * day);
      await standalone.program.ready(30_000);
      await callers.settle();
      await callers.askAgain();
      const { eventstoreUrl } = serversOf(dataDir);
      const stored = await compareWithStore({ eventstoreUrl, commands: callers.journal.commands });
      const recorded = await goesBack(eventstoreUrl);
      violations.push(...callers.journal.violations, ...stored.violations, ...recorded.violations);
      violations.push(...(await auditDifferences({ DATA_DIR: dataDir })));
      if (violations.length > 0) violations.push(`what the service printed:\n${standalone.program.log.slice(-3_000)}`);
      return {
        violations,
        counts: {
          jumps,
          'held at the time before': recorded.held,
          events: stored.events,
          ...commandCounts(callers.journal),
        },
      };
    } finally {
      await standalone.end();
    }
  },
};

/** Instants around which calendars are odd: leap days, changes of summer time, ends of months and years. */
const oddInstants = [
  '2026-03-29T00:59:59.999Z',
  '2026-03-29T01:00:00.000Z',
  '2026-10-25T00:30:00.000Z',
  '2026-10-25T01:30:00.000Z',
  '2026-11-01T05:59:59.000Z',
  '2026-12-31T23:59:59.999Z',
  '2027-02-28T23:59:59.999Z',
  '2027-03-14T07:00:00.000Z',
  '2028-02-29T00:00:00.000Z',
  '2028-02-29T23:59:59.999Z',
  '2028-03-01T00:00:00.000Z',
];

const businessClock: Fault = {
  name: 'business-clock-jumps',
  about:
    'business time jumps over leap days, changes of summer time, ends of years, and back: every period is rolled over and billed once, and the sums hold',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const standalone = await Standalone.start(directory, random);
    const { callers, dataDir } = standalone;
    let refusals = 0;
    try {
      for (let n = 0; n < 3; n += 1) await callers.subscribe();
      callers.start(8);
      const instants = oddInstants.filter(() => random.chance(0.5));
      for (const now of instants) {
        // Back is refused, or harmless: what was recorded stays where it is.
        for (const instant of random.chance(0.3) ? [now, '2026-02-01T00:00:00.000Z', now] : [now]) {
          const { status } = await standalone.http.ask('PUT', '/v1/test-clock', { body: { now: instant } });
          if (status >= 500) violations.push(`the clock was set to ${instant}: ${status}`);
          else if (status !== 200) refusals += 1;
        }
        await delay(random.between(100, 300));
      }
      say(`${instants.length} jumps`);
      await callers.stop();
      await callers.settle();
      const { eventstoreUrl } = serversOf(dataDir);
      const stored = await compareWithStore({ eventstoreUrl, commands: callers.journal.commands });
      const recorded = await goesBack(eventstoreUrl);
      violations.push(...callers.journal.violations, ...stored.violations, ...recorded.violations);
      violations.push(...(await auditDifferences({ DATA_DIR: dataDir })));
      return {
        violations,
        counts: {
          jumps: instants.length,
          'refused to go back': refusals,
          events: stored.events,
          ...commandCounts(callers.journal),
        },
      };
    } finally {
      await standalone.end();
    }
  },
};

export const clocks: readonly Fault[] = [systemClock, businessClock];
