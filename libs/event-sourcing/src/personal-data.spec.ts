import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CorruptEvent } from './errors';
import { decode, encode } from './event-codec';
import { type SealedPersonal, seal, SealBroken, sealEvents, unseal } from './personal-data';

const ADA = '5b6f6d0a-5d0f-5c0e-8f5a-3f1f0b8a4c11';
const EVE = '0e3d3f58-5c0e-5f5a-8f1f-0b8a4c11aa01';
const place = { aggregate: 'customer', id: ADA };
const catalog = { CustomerCreated: [], CustomerChanged: [] };
const key = Buffer.alloc(32, 'k');
const created = { type: 'CustomerCreated', data: { personal: { subject: ADA, clear: { name: 'Ada' } } } };

const sealedAs = async (type: string, { id } = place): Promise<SealedPersonal> => {
  const [event] = await sealEvents([{ ...created, type }], 'customer', id, async () => key);
  return (event?.data as { personal: SealedPersonal }).personal;
};

const recorded = (id: string, type: string, personal: object) => ({
  stream: `test.customer-${id}`,
  revision: 0n,
  position: 1n,
  id: EVE,
  type,
  isJson: true,
  data: { personal },
  metadata: {
    version: 1,
    recordedAt: '2026-01-01T00:00:00.000Z',
    ...{ tenant: 't', key: 'k', fingerprint: 'f', principal: 'p', correlationId: 'c', hash: 'h' },
  },
});

describe('personal data', () => {
  it('comes back from its seal as it was, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const clear = JSON.parse(JSON.stringify(value)) as never;
        const secret = randomBytes(32);
        expect(unseal(seal({ subject: ADA, clear }, 'a/B', secret) as SealedPersonal, secret)).toEqual(clear);
      }),
    );
  });

  it('is sealed with another nonce each time', async () => {
    expect((await sealedAs('CustomerCreated')).sealed).not.toBe((await sealedAs('CustomerCreated')).sealed);
  });

  it('opens in no other stream, as no other type, for no other subject, under no other key and not when a bit differs', async () => {
    const whole = await sealedAs('CustomerCreated');
    expect(unseal(whole, key)).toEqual({ name: 'Ada' });
    const bytes = Buffer.from(whole.sealed, 'base64url');
    const flipped = Array.from(bytes, (_, at) => {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      return { ...whole, sealed: changed.toString('base64url') };
    });
    for (const changed of [
      { ...whole, of: `customer-${EVE}/CustomerCreated` },
      { ...whole, of: `customer-${ADA}/CustomerChanged` },
      { ...whole, subject: EVE },
      { ...whole, sealed: '' },
      ...flipped,
    ])
      expect(() => unseal(changed, key)).toThrow(SealBroken);
    expect(() => unseal(whole, Buffer.alloc(32, 'x'))).toThrow(SealBroken);
  });

  it('is refused where it does not belong, and anywhere in the clear', async () => {
    const whole = await sealedAs('CustomerCreated');
    expect(decode(recorded(ADA, 'CustomerCreated', whole), catalog).event.data).toEqual({ personal: whole });
    const swapped = [
      recorded(EVE, 'CustomerCreated', whole),
      recorded(ADA, 'CustomerChanged', whole),
      recorded(ADA, 'CustomerCreated', { subject: ADA, clear: {} }),
      recorded(ADA, 'CustomerCreated', { name: 'Ada' }),
    ];
    for (const event of swapped) expect(() => decode(event, catalog)).toThrow(CorruptEvent);
    expect(() => encode(created, catalog, place)).toThrow('CustomerCreated: personal is not sealed');
    const event = { type: 'CustomerChanged', data: { personal: whole } };
    expect(() => encode(event, catalog, place)).toThrow('personal belongs to');
  });

  it('is recorded as erased when the key is gone', async () => {
    const [event] = await sealEvents([created], 'customer', ADA, async () => 'destroyed');
    expect(event?.data).toEqual({ personal: { subject: ADA, erased: true } });
    expect(encode(event!, catalog, place).data).toEqual(event?.data);
  });

  // As in libs/billing-domain/src/customer/history: bytes that a store may hold must open for ever.
  it.each([
    [
      'CustomerCreated',
      'r18S11tnKCvjvpR25dXcD-WLGpV6hYIqlLXDzg2KNyxLWvekW7RLf5Dn5ui3abBIa-L1JixtV-_XNSHjUAwXgjuPOi0PtwZwGjqaRw',
      { billTo: { name: 'Ada Lovelace' }, contacts: [] },
    ],
    [
      'CustomerChanged',
      'wVp05f3DZ6CuJJhbilJNqzxg5vJXSaWnH9eYB2m6PDQkZIUyHLpEoIHEUnIF4rIwQAmHpfod_NT_Dtrx24NtgxhneJ6JrA',
      { contacts: [{ email: 'ada@example.com' }] },
    ],
    [
      'InvoiceFinalised',
      '2TVTE92iaYi0UNBYsq8lG2HfbYfubmjftRWcvFrUIviNf-AAmCZpTIYz2rzDYLSPyzRa0Y297EiDUUrnBPI',
      { billTo: { name: 'Ada Lovelace' } },
    ],
  ])('of a golden %s opens', (type, sealed, clear) => {
    const of = type === 'InvoiceFinalised' ? `invoice-${EVE}/${type}` : `customer-${ADA}/${type}`;
    expect(unseal({ subject: ADA, of, sealed }, key)).toEqual(clear);
  });
});
