import { DomainError } from './domain-error';
import { roundHalfAwayFromZero, type Ratio } from './ratio';

/** A whole number of minor units of one currency. */
export interface Money {
  readonly minor: bigint;
  readonly currency: Currency;
}

/** Money as it stands in JSON: minor units as a decimal string. */
export interface MoneyJson {
  readonly amount: string;
  readonly currency: string;
}

/** Digits after the point of each currency (ISO 4217). */
// prettier-ignore
const exponents = {
  AED: 2, AFN: 2, ALL: 2, AMD: 2, ANG: 2, AOA: 2, ARS: 2, AUD: 2, AWG: 2, AZN: 2, BAM: 2, BBD: 2, BDT: 2, BGN: 2, BHD: 3,
  BIF: 0, BMD: 2, BND: 2, BOB: 2, BRL: 2, BSD: 2, BTN: 2, BWP: 2, BYN: 2, BZD: 2, CAD: 2, CDF: 2, CHF: 2, CLP: 0, CNY: 2,
  COP: 2, CRC: 2, CUP: 2, CVE: 2, CZK: 2, DJF: 0, DKK: 2, DOP: 2, DZD: 2, EGP: 2, ERN: 2, ETB: 2, EUR: 2, FJD: 2, FKP: 2,
  GBP: 2, GEL: 2, GHS: 2, GIP: 2, GMD: 2, GNF: 0, GTQ: 2, GYD: 2, HKD: 2, HNL: 2, HTG: 2, HUF: 2, IDR: 2, ILS: 2, INR: 2,
  IQD: 3, IRR: 2, ISK: 0, JMD: 2, JOD: 3, JPY: 0, KES: 2, KGS: 2, KHR: 2, KMF: 0, KPW: 2, KRW: 0, KWD: 3, KYD: 2, KZT: 2,
  LAK: 2, LBP: 2, LKR: 2, LRD: 2, LSL: 2, LYD: 3, MAD: 2, MDL: 2, MGA: 2, MKD: 2, MMK: 2, MNT: 2, MOP: 2, MRU: 2, MUR: 2,
  MVR: 2, MWK: 2, MXN: 2, MYR: 2, MZN: 2, NAD: 2, NGN: 2, NIO: 2, NOK: 2, NPR: 2, NZD: 2, OMR: 3, PAB: 2, PEN: 2, PGK: 2,
  PHP: 2, PKR: 2, PLN: 2, PYG: 0, QAR: 2, RON: 2, RSD: 2, RUB: 2, RWF: 0, SAR: 2, SBD: 2, SCR: 2, SDG: 2, SEK: 2, SGD: 2,
  SHP: 2, SLE: 2, SOS: 2, SRD: 2, SSP: 2, STN: 2, SVC: 2, SYP: 2, SZL: 2, THB: 2, TJS: 2, TMT: 2, TND: 3, TOP: 2, TRY: 2,
  TTD: 2, TWD: 2, TZS: 2, UAH: 2, UGX: 0, USD: 2, UYU: 2, UZS: 2, VED: 2, VES: 2, VND: 0, VUV: 0, WST: 2, XAF: 0, XCD: 2,
  XOF: 0, XPF: 0, YER: 2, ZAR: 2, ZMW: 2, ZWG: 2,
} as const;

export type Currency = keyof typeof exponents;

const LIMIT = 10n ** 18n;

/** Whether this is the code of a currency known here. */
export function isCurrency(code: string): code is Currency {
  return Object.hasOwn(exponents, code);
}

/** The currency of that code. Raises `unknown-currency`. */
export function currency(code: string): Currency {
  if (!isCurrency(code)) throw new DomainError('unknown-currency', `unknown currency: ${JSON.stringify(code)}`);
  return code;
}

/** Digits after the point: 2 for USD, 0 for JPY, 3 for KWD. Raises `unknown-currency`. */
export function exponentOf(code: string): number {
  return exponents[currency(code)];
}

/** Minor units, at most 10^18 either way. Raises `unknown-currency`, `amount-out-of-range`. */
export function money(minor: bigint, code: string): Money {
  return { minor: bounded(minor), currency: currency(code) };
}

/** Reads { amount: "-1999", currency: "USD" }. Raises `invalid-amount`, `unknown-currency`, `amount-out-of-range`. */
export function moneyFromJson(json: MoneyJson): Money {
  return money(parseMinor(json.amount), json.currency);
}

/** Minor units and currency as JSON. */
export function moneyToJson(value: Money): MoneyJson {
  return { amount: value.minor.toString(), currency: value.currency };
}

/** Reads whole minor units, "-1999". Raises `invalid-amount`, `amount-out-of-range`. */
export function parseMinor(text: string): bigint {
  if (typeof text !== 'string' || !/^(0|-?[1-9]\d*)$/.test(text) || text.length > 20)
    throw new DomainError('invalid-amount', `not a whole number of minor units: ${JSON.stringify(text)}`);
  return bounded(BigInt(text));
}

/** In major units for people: "19.99", "1999" for JPY, "-0.05". */
export function toMajorUnits(value: Money): string {
  const exponent = exponents[value.currency];
  const digits = value.minor
    .toString()
    .replace('-', '')
    .padStart(exponent + 1, '0');
  const sign = value.minor < 0n ? '-' : '';
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** a + b. Raises `currency-mismatch`, `amount-out-of-range`. */
export function addMoney(a: Money, b: Money): Money {
  return money(a.minor + sameCurrency(a, b).minor, a.currency);
}

/** a − b. Raises `currency-mismatch`, `amount-out-of-range`. */
export function subtractMoney(a: Money, b: Money): Money {
  return money(a.minor - sameCurrency(a, b).minor, a.currency);
}

/** The sum, nothing for none. Raises `currency-mismatch`, `amount-out-of-range`. */
export function sumMoney(values: readonly Money[], code: string): Money {
  return values.reduce(addMoney, money(0n, code));
}

/** -1, 0 or 1. Raises `currency-mismatch`. */
export function compareMoney(a: Money, b: Money): -1 | 0 | 1 {
  const { minor } = sameCurrency(a, b);
  return a.minor < minor ? -1 : a.minor > minor ? 1 : 0;
}

/** value × factor, rounded once, halves away from zero. Raises `amount-out-of-range`. */
export function multiplyMoney(value: Money, factor: Ratio): Money {
  const product = { numerator: value.minor * factor.numerator, denominator: factor.denominator };
  return money(roundHalfAwayFromZero(product), value.currency);
}

/**
 * Splits an amount by weights (not negative, not all zero) so that the parts sum to it exactly: each part rounded towards
 * zero, the units left over to the largest remainders, the earlier part first on a tie. (billing-model.md §5)
 */
export function allocateMoney(value: Money, weights: readonly bigint[]): Money[] {
  if (value.minor < 0n) return allocateMoney(negated(value), weights).map(negated);
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  if (total === 0n || weights.some((weight) => weight < 0n))
    throw new RangeError('weights are not negative and not all zero');
  const parts = weights.map((weight) => ({
    units: (value.minor * weight) / total,
    remainder: (value.minor * weight) % total,
  }));
  let left = value.minor - parts.reduce((sum, part) => sum + part.units, 0n);
  // Sorting keeps the order of what compares the same.
  const byRemainder = [...parts].sort((a, b) => (a.remainder > b.remainder ? -1 : a.remainder < b.remainder ? 1 : 0));
  for (const part of byRemainder) {
    if (left === 0n) break;
    part.units += 1n;
    left -= 1n;
  }
  return parts.map((part) => money(part.units, value.currency));
}

function negated({ minor, currency }: Money): Money {
  return { minor: -minor, currency };
}

function bounded(minor: bigint): bigint {
  if (minor > LIMIT || minor < -LIMIT) throw new DomainError('amount-out-of-range', `out of range: ${minor}`);
  return minor;
}

function sameCurrency(a: Money, b: Money): Money {
  if (a.currency !== b.currency)
    throw new DomainError('currency-mismatch', `${a.currency} and ${b.currency} cannot be combined`);
  return b;
}
