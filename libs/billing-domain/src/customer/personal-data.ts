import { DomainError } from '../domain-error';
import { text } from '../text';

export interface Address {
  readonly line1: string;
  readonly line2?: string;
  readonly city?: string;
  readonly region?: string;
  readonly postalCode?: string;
  /** ISO 3166-1 alpha-2. */
  readonly country?: string;
}

export interface TaxId {
  /** What kind of number it is, as `eu_vat`. */
  readonly type: string;
  readonly value: string;
}

/** Who is billed, as it stands on an invoice. */
export interface BillTo {
  readonly name: string;
  readonly address?: Address;
  readonly taxIds?: readonly TaxId[];
}

export interface Contact {
  readonly email: string;
  readonly name?: string;
}

/** All that is kept of a customer as a person. */
export interface PersonalData {
  readonly billTo?: BillTo;
  readonly contacts?: readonly Contact[];
}

const MAX_TAX_IDS = 10;
const MAX_CONTACTS = 20;

/** Personal data with all of its texts checked and nothing undefined. Raises `invalid-text`, `invalid-option`. */
export function personalData({ billTo, contacts }: PersonalData): PersonalData {
  return {
    ...(billTo !== undefined && { billTo: checkedBillTo(billTo) }),
    ...(contacts !== undefined && { contacts: atMost('contacts', MAX_CONTACTS, contacts).map(checkedContact) }),
  };
}

function checkedBillTo({ name, address, taxIds }: BillTo): BillTo {
  return {
    name: text('name', name, 200),
    ...(address !== undefined && { address: checkedAddress(address) }),
    ...(taxIds !== undefined && {
      taxIds: atMost('taxIds', MAX_TAX_IDS, taxIds).map(({ type, value }) => ({
        type: text('type', type, 40),
        value: text('value', value, 100),
      })),
    }),
  };
}

function checkedAddress({ line1, line2, city, region, postalCode, country }: Address): Address {
  if (country !== undefined && !/^[A-Z]{2}$/.test(country)) {
    throw new DomainError('invalid-option', 'a country is two capital letters (ISO 3166-1)');
  }
  return {
    line1: text('line1', line1, 200),
    ...(line2 !== undefined && { line2: text('line2', line2, 200) }),
    ...(city !== undefined && { city: text('city', city, 100) }),
    ...(region !== undefined && { region: text('region', region, 100) }),
    ...(postalCode !== undefined && { postalCode: text('postalCode', postalCode, 20) }),
    ...(country !== undefined && { country }),
  };
}

function checkedContact({ email, name }: Contact): Contact {
  if (!/^[^\s@]+@[^\s@]+$/.test(email)) throw new DomainError('invalid-text', 'an e-mail address has one @');
  return { email: text('email', email, 254), ...(name !== undefined && { name: text('name', name, 200) }) };
}

function atMost<T>(name: string, most: number, values: readonly T[]): readonly T[] {
  if (values.length > most) throw new DomainError('invalid-option', `at most ${most} ${name}`);
  return values;
}
