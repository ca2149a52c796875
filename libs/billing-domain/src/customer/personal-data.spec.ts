import { refusal } from '../subscription/decisions.fixture';
import { personalData, type Address, type PersonalData } from './personal-data';

const address: Required<Address> = {
  line1: '12 St James’s Square',
  line2: 'Back door',
  city: 'London',
  region: 'Greater London',
  postalCode: 'SW1Y 4JH',
  country: 'GB',
};
const long = (n: number) => 'x'.repeat(n);

it.each<PersonalData>([
  {},
  { billTo: { name: 'Ada Lovelace' } },
  { billTo: { name: 'Ada Lovelace', address: { line1: 'At home' } } },
  { billTo: { name: long(200), address, taxIds: [{ type: 'eu_vat', value: 'DE123456789' }] } },
  { contacts: [] },
  { contacts: [{ email: 'ada@example.com' }, { email: 'a@b', name: 'Ada' }] },
])('is kept as it was given: %j', (data) => expect(personalData(data)).toStrictEqual(data));

it('has nothing undefined, and nothing that is not asked for', () => {
  const given = {
    billTo: { name: 'Ada', address: undefined, born: '1815' },
    contacts: [{ email: 'a@b', name: undefined }],
    height: '5 ft',
  } as unknown as PersonalData;
  expect(personalData(given)).toStrictEqual({ billTo: { name: 'Ada' }, contacts: [{ email: 'a@b' }] });
});

const billTo = (more: object) => ({ billTo: { name: 'Ada', ...more } }) as PersonalData;
const at = (more: object) => billTo({ address: { ...address, ...more } });

it.each<[string, PersonalData]>([
  ['invalid-text', billTo({ name: '' })],
  ['invalid-text', billTo({ name: long(201) })],
  ['invalid-text', at({ line1: '' })],
  ['invalid-text', at({ line1: long(201) })],
  ['invalid-text', at({ line2: long(201) })],
  ['invalid-text', at({ city: long(101) })],
  ['invalid-text', at({ region: long(101) })],
  ['invalid-text', at({ postalCode: long(21) })],
  ['invalid-text', at({ postalCode: 'line\nbreak' })],
  ['invalid-option', at({ country: 'gb' })],
  ['invalid-option', at({ country: 'GBR' })],
  ['invalid-option', at({ country: 'xGB' })],
  ['invalid-text', billTo({ taxIds: [{ type: '', value: '1' }] })],
  ['invalid-text', billTo({ taxIds: [{ type: long(41), value: '1' }] })],
  ['invalid-text', billTo({ taxIds: [{ type: 'eu_vat', value: long(101) }] })],
  ['invalid-option', billTo({ taxIds: Array<object>(11).fill({ type: 'eu_vat', value: '1' }) })],
  ['invalid-option', { contacts: Array<{ email: string }>(21).fill({ email: 'a@b' }) }],
  ['invalid-text', { contacts: [{ email: 'nobody' }] }],
  ['invalid-text', { contacts: [{ email: '@b' }] }],
  ['invalid-text', { contacts: [{ email: 'a@' }] }],
  ['invalid-text', { contacts: [{ email: 'a@b@c' }] }],
  ['invalid-text', { contacts: [{ email: 'a b@c' }] }],
  ['invalid-text', { contacts: [{ email: `${long(254)}@b` }] }],
  ['invalid-text', { contacts: [{ email: 'a@b', name: long(201) }] }],
])('refuses with %s: %j', (code, data) => expect(refusal(() => personalData(data))).toBe(code));

it('takes texts and lists as long as they can be', () => {
  const data: PersonalData = {
    billTo: {
      name: long(200),
      address: {
        line1: long(200),
        line2: long(200),
        city: long(100),
        region: long(100),
        postalCode: long(20),
        country: 'DE',
      },
      taxIds: Array<{ type: string; value: string }>(10).fill({ type: long(40), value: long(100) }),
    },
    contacts: Array<{ email: string; name: string }>(20).fill({ email: `${long(252)}@b`, name: long(200) }),
  };
  expect(personalData(data)).toStrictEqual(data);
});
