import { createHash } from 'node:crypto';
import type { RecordedEvent } from './event';
import { chainHash, verifyChain } from './hash-chain';

function chain(count: number): RecordedEvent[] {
  let previous = '';
  return Array.from({ length: count }, (_, index) => {
    const id = `018f0000-0000-7000-8000-00000000000${index}`;
    const data = { b: index, a: 'ä€' };
    const unsealed = { version: 1, recordedAt: `2026-01-0${index + 1}T00:00:00.000Z`, tenant: 't' };
    const hash = chainHash(previous, { id, type: 'Counted', data, metadata: unsealed });
    previous = hash;
    const metadata = { ...unsealed, hash };
    const stream = 'test.counter-018f0000-0000-7000-8000-000000000000';
    return {
      stream,
      revision: BigInt(index),
      position: BigInt(index),
      id,
      type: 'Counted',
      isJson: true,
      data,
      metadata,
    };
  });
}

describe('hash chain', () => {
  it('is sha256 of the previous hash and the canonical JSON of id, type, data and metadata without hash', () => {
    const json = '{"data":{"a":1,"b":2},"id":"i","metadata":{"m":true},"type":"T"}';
    expect(chainHash('ff', { id: 'i', type: 'T', data: { b: 2, a: 1 }, metadata: { m: true, hash: 'old' } })).toBe(
      createHash('sha256').update(`ff${json}`).digest('hex'),
    );
  });

  it('holds for an untouched stream', async () => {
    const events = chain(4);
    await expect(verifyChain(events)).resolves.toEqual({
      events: 4n,
      hash: (events[3]!.metadata as { hash: string }).hash,
      breaks: [],
    });
  });

  it.each([
    ['data', { data: { b: 1, a: 'other' } }, 'hash'],
    ['id', { id: '018f0000-0000-7000-8000-0000000000ff' }, 'hash'],
    ['type', { type: 'Miscounted' }, 'hash'],
    ['metadata', { metadata: { version: 1 } }, 'envelope'],
  ])('names the event whose %s was rewritten, once', async (_, change, problem) => {
    const events = chain(4);
    events[1] = { ...events[1]!, ...change };
    const { breaks } = await verifyChain(events);
    expect(breaks[0]).toMatchObject({ revision: 1n, problem });
  });

  it('sees a removed event, a changed tenant and time that runs backwards', async () => {
    const events = chain(4);
    expect((await verifyChain([events[0]!, ...events.slice(2)])).breaks.map(({ problem }) => problem)).toEqual([
      'revision-gap',
      'hash',
    ]);
    const moved = { ...(events[2]!.metadata as object), tenant: 'other', recordedAt: '2025-01-01T00:00:00.000Z' };
    const problems = (await verifyChain([events[0]!, events[1]!, { ...events[2]!, metadata: moved }])).breaks;
    expect(problems.map(({ problem }) => problem)).toEqual(['hash', 'recorded-at-decreases', 'tenant-changes']);
  });
});
