import fc from 'fast-check';
import { CorruptEvent, FutureEventVersion, UnknownEventType } from './errors';
import type { RecordedEvent } from './event';
import { decode, encode, throughJson } from './event-codec';

const catalog = {
  Opened: [
    (data: unknown) => ({ ...(data as object), currency: 'USD' }),
    (data: unknown) => {
      const { total, ...rest } = data as { total: number };
      return { ...rest, amount: `${total}` };
    },
  ],
  Closed: [],
};

const place = { aggregate: 'account', id: '018f0000-0000-7000-8000-000000000000' };

const metadata = {
  version: 1,
  recordedAt: '2026-01-01T00:00:00.000Z',
  tenant: 't',
  key: 'k',
  fingerprint: 'f',
  principal: 'p',
  correlationId: 'c',
  hash: 'h',
};

function recorded(change: Partial<RecordedEvent> = {}): RecordedEvent {
  return {
    stream: 'test.account-018f0000-0000-7000-8000-000000000000',
    revision: 3n,
    position: 99n,
    id: '018f0000-0000-7000-8000-000000000001',
    type: 'Opened',
    isJson: true,
    data: { total: 5 },
    metadata,
    ...change,
  };
}

describe('codec', () => {
  it('writes the newest version and lifts older ones', () => {
    expect(encode({ type: 'Opened', data: { amount: '5' } }, catalog, place)).toEqual({
      type: 'Opened',
      version: 3,
      json: '{"amount":"5"}',
      data: { amount: '5' },
    });
    expect(decode(recorded(), catalog)).toMatchObject({
      event: { type: 'Opened', data: { amount: '5', currency: 'USD' } },
      aggregate: 'account',
      aggregateId: '018f0000-0000-7000-8000-000000000000',
      revision: 3n,
    });
    const second = recorded({ data: { total: 5, currency: 'EUR' }, metadata: { ...metadata, version: 2 } });
    expect(decode(second, catalog).event.data).toEqual({ amount: '5', currency: 'EUR' });
    const third = recorded({ data: { amount: '5' }, metadata: { ...metadata, version: 3 } });
    expect(decode(third, catalog).event.data).toEqual({ amount: '5' });
  });

  it.each([
    ['a later version', { metadata: { ...metadata, version: 4 } }, FutureEventVersion],
    ['an unknown type', { type: 'Vanished' }, UnknownEventType],
    ['a type that only the prototype has', { type: 'constructor' }, UnknownEventType],
    ['malformed JSON, which the client hands over as a string', { data: '{"total":' }, CorruptEvent],
    ['bytes', { data: new Uint8Array([1]), isJson: false }, CorruptEvent],
    ['an array', { data: [] }, CorruptEvent],
    ['no metadata', { metadata: undefined }, CorruptEvent],
    ['unparsable metadata, which the client hands over as bytes', { metadata: new Uint8Array([1]) }, CorruptEvent],
    ['a version that is no integer', { metadata: { ...metadata, version: '1' } }, CorruptEvent],
    ['a missing key', { metadata: { ...metadata, key: undefined } }, CorruptEvent],
    ['malformed remembered ids', { metadata: { ...metadata, remembers: [{ kind: 'x' }] } }, CorruptEvent],
    ['another stream', { stream: 'test.heartbeat' }, CorruptEvent],
    ['data that an upcast cannot lift', { data: {}, type: 'Broken' }, CorruptEvent],
  ])('refuses %s', (_, change, error) => {
    const broken = () => {
      throw new Error('no');
    };
    expect(() => decode(recorded(change), { ...catalog, Broken: [broken] })).toThrow(error);
  });

  it('decodes what the repository notes itself, in every catalogue', () => {
    expect(decode(recorded({ type: 'CommandNoted', data: { effectiveAt: 'x' } }), {}).event.type).toBe('CommandNoted');
  });

  it('refuses what JSON would change in silence, and names the place', () => {
    expect(() => encode({ type: 'Gone', data: {} }, catalog, place)).toThrow('not in the catalog');
    const bad: [unknown, string][] = [
      [{ a: [{ b: 1n }] }, '$.a[0].b is no JSON value (bigint)'],
      [{ at: new Date(0) }, '$.at is no JSON value (Date)'],
      [{ m: new Map() }, '$.m is no JSON value (Map)'],
      [{ n: Number.NaN }, '$.n is no JSON value (number)'],
      [{ list: [undefined] }, '$.list[0] is no JSON value (undefined)'],
      [{ f: () => 1 }, '$.f is no JSON value (function)'],
    ];
    for (const [data, message] of bad) expect(() => throughJson(data)).toThrow(message);
    expect(throughJson({ a: undefined, b: null })).toEqual({ b: null });
  });

  it('gives back any JSON unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const once = throughJson(value);
        expect(throughJson(once)).toEqual(once);
        expect(JSON.stringify(once)).toBe(JSON.stringify(value));
      }),
    );
  });
});
