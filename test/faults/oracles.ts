import { setTimeout as delay } from 'node:timers/promises';
import { EventStore } from '@perennial/event-sourcing';
import { runToEnd } from '../support/processes';
import type { Journaled } from './command-journal';

/** One append as it stands in the store: the events of one key in one stream. */
interface StoredCommand {
  readonly first: bigint;
  last: bigint;
  /** They do not follow each other: two appends recorded the same command. */
  broken: boolean;
}

export interface StoreComparison {
  readonly events: number;
  readonly violations: readonly string[];
}

/**
 * O1 and O2: every acknowledged command stands in its stream once, at the revision that it was acknowledged at; no
 * refused command left anything; no event occurs twice. Reads everything under the prefix.
 */
export async function compareWithStore(o: {
  readonly eventstoreUrl: string;
  readonly prefix?: string;
  readonly commands: readonly Journaled[];
}): Promise<StoreComparison> {
  const prefix = o.prefix ?? 'perennial';
  const store = EventStore.connect({ url: o.eventstoreUrl });
  const caughtUp = new AbortController();
  const appends = new Map<string, StoredCommand>();
  const ids = new Set<string>();
  const violations: string[] = [];
  let events = 0;
  try {
    for await (const event of store.subscribe({
      from: 'start',
      prefixes: [`${prefix}.`],
      signal: caughtUp.signal,
      onCaughtUp: () => caughtUp.abort(),
    })) {
      const { key } = (event.metadata ?? {}) as { key?: string };
      if (key === undefined) continue;
      events += 1;
      if (ids.has(event.id)) violations.push(`event ${event.id} occurs twice`);
      ids.add(event.id);
      const name = `${event.stream} ${key}`;
      const before = appends.get(name);
      if (!before) appends.set(name, { first: event.revision, last: event.revision, broken: false });
      else {
        before.broken ||= event.revision !== before.last + 1n;
        before.last = event.revision;
      }
    }
  } finally {
    await store.close();
  }
  for (const command of o.commands) violations.push(...misrecorded(command, prefix, appends));
  return { events, violations };
}

function misrecorded(
  { key, path, state, answer }: Journaled,
  prefix: string,
  appends: ReadonlyMap<string, StoredCommand>,
): string[] {
  const id = answer?.id ?? /\/v1\/subscriptions\/([^/]+)/.exec(path)?.[1];
  const found = id === undefined ? undefined : appends.get(`${prefix}.subscription-${id} ${key}`);
  if (state === 'refused') return found ? [`${path} ${key}: refused, and in the store`] : [];
  if (state !== 'acknowledged' || !answer) return [];
  if (!found) return [`${path} ${key}: acknowledged, and not in the store`];
  const count = found.last - found.first + 1n;
  if (found.broken || count > BigInt(Math.max(1, answer.events))) return [`${path} ${key}: recorded by two appends`];
  if (found.last.toString() !== answer.revision)
    return [`${path} ${key}: acknowledged at ${answer.revision}, stands at ${found.last}`];
  return [];
}

/**
 * O3 to O6 by `audit verify` in a process of its own: read models as a rebuild gives them, balanced totals, gapless and
 * chained streams, one invoice for each bill and one number for each invoice. Waits until the policies have done what
 * they owe; gives what differs, empty when nothing does.
 */
export async function auditDifferences(
  env: Readonly<Record<string, string>>,
  { withinMs = 60_000 }: { readonly withinMs?: number } = {},
): Promise<string[]> {
  const until = performance.now() + withinMs;
  for (;;) {
    const { code, output } = await runToEnd('apps/standalone/src/audit.js', ['verify'], env);
    const waiting = /waiting for policies\s+(\d+)/.exec(output)?.[1];
    if (code === 0 && waiting === undefined) return [];
    if (code !== 0) return [`audit verify ended with ${code}\n${output.slice(-4_000)}`];
    if (performance.now() > until)
      return [`the policies still owe ${waiting} after ${withinMs} ms\n${output.slice(-2_000)}`];
    await delay(100);
  }
}
