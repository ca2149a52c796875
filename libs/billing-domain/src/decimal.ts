import { DomainError } from './domain-error';

/** An exact decimal: units / 10^scale. A string in JSON. */
export interface Decimal {
  readonly units: bigint;
  /** Digits after the point, 0 to 12. */
  readonly scale: number;
}

const pattern = /^(-?)(\d{1,18})(?:\.(\d{1,12}))?$/;

/** Reads "-12.5": at most 18 digits before the point and 12 after it, no exponent, no plus sign. Raises `invalid-decimal`. */
export function parseDecimal(text: string): Decimal {
  const match = typeof text === 'string' ? pattern.exec(text) : null;
  if (!match) throw new DomainError('invalid-decimal', `not a decimal: ${JSON.stringify(text)}`);
  const fraction = match[3] ?? '';
  const magnitude = BigInt(match[2] + fraction);
  return normalise(match[1] === '-' ? -magnitude : magnitude, fraction.length);
}

/** The one way in which a decimal is written: no trailing zeros, no negative zero. */
export function formatDecimal({ units, scale }: Decimal): string {
  const digits = units
    .toString()
    .replace('-', '')
    .padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const sign = units < 0n ? '-' : '';
  return scale === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-scale)}`;
}

/** The text of a whole number of 10^-12, however large. */
export function formatTrillionths(value: bigint): string {
  return formatDecimal(normalise(value, 12));
}

function normalise(units: bigint, scale: number): Decimal {
  let [u, s] = [units, scale];
  while (s > 0 && u % 10n === 0n) [u, s] = [u / 10n, s - 1];
  return { units: u, scale: s };
}
