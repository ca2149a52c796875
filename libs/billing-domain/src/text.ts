import { DomainError } from './domain-error';

const controls = /[\u0000-\u001f\u007f]|\p{Surrogate}/u; // eslint-disable-line no-control-regex
const controlsButSpace = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]|\p{Surrogate}/u; // eslint-disable-line no-control-regex

/** A text of one line of 1 to `longest` characters, without control characters or halves of surrogate pairs. Raises `invalid-text`. */
export function text(name: string, value: string, longest: number): string {
  if (typeof value !== 'string' || value.length < 1 || value.length > longest || controls.test(value))
    throw new DomainError('invalid-text', `${name} is a text of 1 to ${longest} characters without control characters`);
  return value;
}

/** At most 50 flat strings: keys of 1 to 40 characters, values of at most 500. Raises `invalid-metadata`. */
export function metadata(value: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const entries = Object.entries(value);
  const fits = ([key, entry]: [string, unknown]) =>
    key.length >= 1 &&
    key.length <= 40 &&
    !controls.test(key) &&
    typeof entry === 'string' &&
    entry.length <= 500 &&
    !controlsButSpace.test(entry);
  if (entries.length > 50 || !entries.every(fits)) throw new DomainError('invalid-metadata');
  return Object.fromEntries(entries);
}

/** Days from issue to due date, default 0. Raises `invalid-payment-terms`. */
export function paymentTermsDays(days = 0): number {
  if (!Number.isInteger(days) || days < 0 || days > 365) throw new DomainError('invalid-payment-terms');
  return days;
}

/** One of the values that an option can take. Raises `invalid-option`. */
export function oneOf<Value extends string>(name: string, value: Value, values: readonly Value[]): Value {
  if (!values.includes(value)) throw new DomainError('invalid-option', `${name} is one of ${values.join(', ')}`);
  return value;
}

/** The bytes that a value takes as JSON in UTF-8. */
export function encodedBytes(value: object | string): number {
  return Buffer.byteLength(JSON.stringify(value));
}
