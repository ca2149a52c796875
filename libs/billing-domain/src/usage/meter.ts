import { parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { toTrillionths } from '../price/price';
import { encodedBytes, oneOf, text } from '../text';
import type { UsageRecord } from './usage-record';

/**
 * What usage is measured by: which records, and what they come to in a period. Plain data of an item or of a plan's component.
 * A meter's key names its definition for as long as a subscription lives: another definition is another key.
 *
 * sum: of values. count: of records. max: the largest value. latest: the value of the last record in order of their own time, then
 * id. unique-count: of the values of one property. weighted-sum: values are changes of a level, and the level's mean over the
 * period is measured (30 GB for a third of the period are 10).
 */
export interface Meter {
  readonly key: string;
  /** The name of the records that it reads. */
  readonly event: string;
  readonly aggregation: 'sum' | 'count' | 'max' | 'latest' | 'unique-count' | 'weighted-sum';
  /** The property that holds a record's value as a decimal; absent: the record's own `value`. */
  readonly valueProperty?: string;
  /** The property whose values a unique count counts. */
  readonly uniqueProperty?: string;
  /** Records that have, of each of these properties, one of the values. */
  readonly filters?: readonly { readonly property: string; readonly values: readonly string[] }[];
  /** latest and weighted-sum start from the last value of the period before; absent: from nothing. */
  readonly carry?: true;
  /** What becomes of a record whose period is sealed. Default: it counts in the open period. */
  readonly late?: 'refuse';
}

/** A meter as a caller defines it: `event` is by default the key, `late` "accept". */
export interface NewMeter {
  readonly key: string;
  readonly event?: string;
  readonly aggregation: Meter['aggregation'];
  readonly valueProperty?: string;
  readonly uniqueProperty?: string;
  readonly filters?: NonNullable<Meter['filters']>;
  readonly carry?: boolean;
  readonly late?: 'accept' | 'refuse';
}

/** A meter as JSON, so that the terms that hold it stay small. */
const MAX_METER_BYTES = 2_000;
/** A value at most, either way, so that a million of them are still a quantity. */
const MAX_VALUE = 10n ** 15n * 10n ** 12n;

/** The meter in canonical form. Raises `invalid-meter`, `invalid-text`, `invalid-option`. */
export function meter(input: NewMeter): Meter {
  const key = text('meter', input.key, 100);
  if (!/^[A-Za-z0-9][A-Za-z0-9_.:/-]*$/.test(key) || key in {})
    throw new DomainError('invalid-meter', 'no key of a meter');
  const aggregation = oneOf('aggregation', input.aggregation, [
    'sum',
    'count',
    'max',
    'latest',
    'unique-count',
    'weighted-sum',
  ]);
  const { valueProperty, uniqueProperty, filters = [], carry = false, late = 'accept' } = input;
  oneOf('late', late, ['accept', 'refuse']);
  if ((aggregation === 'unique-count') !== (uniqueProperty !== undefined)) {
    throw new DomainError('invalid-meter', 'a unique count, and only that, names the property that it counts');
  }
  if (valueProperty !== undefined && (aggregation === 'count' || aggregation === 'unique-count')) {
    throw new DomainError('invalid-meter', 'a count has no values');
  }
  if (carry && aggregation !== 'latest' && aggregation !== 'weighted-sum') {
    throw new DomainError('invalid-meter', 'only the latest value and a weighted sum are carried on');
  }
  if (new Set(filters.map(({ property }) => property)).size < filters.length) {
    throw new DomainError('invalid-meter', 'a property is filtered once');
  }
  const canonical: Meter = {
    key,
    event: text('event', input.event ?? key, 100),
    aggregation,
    ...(valueProperty !== undefined && { valueProperty: text('valueProperty', valueProperty, 40) }),
    ...(uniqueProperty !== undefined && { uniqueProperty: text('uniqueProperty', uniqueProperty, 40) }),
    ...(filters.length > 0 && { filters: filters.map(filter) }),
    ...(carry && { carry }),
    ...(late === 'refuse' && { late }),
  };
  if (encodedBytes(canonical) > MAX_METER_BYTES) {
    throw new DomainError('invalid-meter', `a meter is at most ${MAX_METER_BYTES} bytes`);
  }
  return canonical;
}

function filter({ property, values }: NonNullable<Meter['filters']>[number]) {
  if (values.length === 0) throw new DomainError('invalid-meter', 'a filter names values');
  return { property: text('property', property, 40), values: values.map((value) => text('value', value, 200)) };
}

/** Whether the meter reads the record. */
export function reads({ event, filters = [] }: Meter, record: UsageRecord): boolean {
  if (event !== record.event) return false;
  return filters.every(({ property, values }) => {
    const value = propertyOf(record, property);
    return value !== undefined && values.includes(value);
  });
}

/** The value of a record in 10^-12; undefined when it has none that is a decimal of at most 10^15 either way. */
export function valueOf({ valueProperty }: Meter, record: UsageRecord): bigint | undefined {
  const given = valueProperty === undefined ? record.value : propertyOf(record, valueProperty);
  if (given === undefined) return undefined;
  try {
    const value = toTrillionths(parseDecimal(given));
    return value > MAX_VALUE || value < -MAX_VALUE ? undefined : value;
  } catch {
    return undefined;
  }
}

/** A property by its own name, never what every object inherits. */
export function propertyOf({ properties = {} }: UsageRecord, name: string): string | undefined {
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}
