import { createHash } from 'node:crypto';
import type { RecordedEvent } from '@perennial/event-sourcing';
import { checkChain, type StreamHead } from './hash-chain';

/** RFC 8785 for the plain ASCII values used here, written again so that the proof does not rest on what it proves. */
const canonical = (value: unknown): string =>
  typeof value !== 'object' || value === null
    ? JSON.stringify(value)
    : `{${Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
        .join(',')}}`;

function expectedHash(previous: string, event: Pick<RecordedEvent, 'id' | 'type' | 'data' | 'metadata'>): string {
  const { hash: _, ...metadata } = event.metadata as Record<string, unknown>;
  const body = canonical({ id: event.id, type: event.type, data: event.data, metadata });
  return createHash('sha256').update(previous).update(body).digest('hex');
}

function chain(length: number): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  let previous = '';
  for (let n = 0; n < length; n += 1) {
    const bare = {
      stream: 'perennial.subscription-6f9619ff-8b86-4d11-b42d-00c04fc964ff',
      revision: BigInt(n),
      position: BigInt(n * 100 + 7),
      id: `id-${n}`,
      type: 'LineItemAdded',
      isJson: true,
      data: { effectiveAt: '2026-01-01T00:00:00.000Z', amount: String(n) },
      metadata: {
        version: 1,
        recordedAt: `2026-01-01T00:00:0${n}.000Z`,
        tenant: 'default',
        key: `k${n}`,
        fingerprint: 'f',
        principal: 'p',
        correlationId: 'c',
      },
    };
    const hash = expectedHash(previous, bare);
    events.push({ ...bare, metadata: { ...bare.metadata, hash } });
    previous = hash;
  }
  return events;
}

function check(events: readonly RecordedEvent[]): string[] {
  let head: StreamHead | undefined;
  const found: string[] = [];
  for (const event of events) {
    const step = checkChain(head, event);
    head = step.head;
    found.push(...step.differences.map((each) => `${each.check}@${each.revision}`));
  }
  return found;
}

const changed = (event: RecordedEvent, change: object): RecordedEvent => ({
  ...event,
  metadata: { ...(event.metadata as object), ...change },
});

describe('checkChain', () => {
  it('finds nothing in an honest chain', () => {
    expect(check(chain(5))).toEqual([]);
  });

  it('finds an event whose data was rewritten', () => {
    const events = chain(5).map((event, n) => (n === 2 ? { ...event, data: { amount: '3' } } : event));
    expect(check(events)).toEqual(['hash-chain@2']);
  });

  it('finds an event that was rewritten together with its hash, at the next one', () => {
    const events = chain(5);
    const forged = { ...events[2]!, data: { amount: '3' } };
    const hash = expectedHash((events[1]!.metadata as { hash: string }).hash, forged);
    events[2] = changed(forged, { hash });
    expect(check(events)).toEqual(['hash-chain@3']);
  });

  it('finds a missing event by its revision and by the chain', () => {
    expect(check(chain(5).filter((_, n) => n !== 2))).toEqual(['revision-gap@3', 'hash-chain@3']);
  });

  it('finds time that runs backwards, another tenant and an envelope that is incomplete', () => {
    const events = chain(4);
    events[1] = changed(events[1]!, { tenant: 'other' });
    events[2] = changed(events[2]!, { recordedAt: '2025-01-01T00:00:00.000Z' });
    events[3] = changed(events[3]!, { hash: undefined });
    expect(check(events).sort()).toEqual([
      'envelope@3',
      'hash-chain@1',
      'hash-chain@2',
      'recorded-at-decreases@2',
      'tenant-changes@1',
    ]);
  });
});
