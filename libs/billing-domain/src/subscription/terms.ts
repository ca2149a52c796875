import { dateOf, gridOfDay, interval, localDateTime, startOfDay, type Grid, type Interval } from '../calendar';
import { formatDecimal, parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { price as checkedPrice, type Price } from '../price/price';
import { amountOf, rate } from '../price/rate';
import { extend, ONE } from '../ratio';
import { oneOf, text } from '../text';
import { meter as newMeter, type NewMeter } from '../usage/meter';
import type { Item } from './events';

/** The largest net of one line, either way: a bill of as many lines as fit stays within what an amount can hold. */
export const MAX_LINE_NET = 10n ** 15n;
/** Items that a subscription has at one time. */
export const MAX_ITEMS = 20;

/** Periods for which an item bills at one time. */
export const MAX_EVERY = 120;
/** Free records of all percentages of a subscription: their values are kept until the period is billed. */
const MAX_FREE_RECORDS = 1_000;

export interface NewItem {
  /** Default: the component key. */
  readonly itemId?: string | undefined;
  /** Default "base". */
  readonly componentKey?: string | undefined;
  readonly description: string;
  /** Of the plan: see Item. */
  readonly ofPlan?: true | undefined;
  /** Default: recurring. */
  readonly kind?: Item['kind'];
  /** Of usage, which must have one. */
  readonly meter?: NewMeter | undefined;
  /** Of usage: whether tiers and free units go on when the terms change within a period, which is the default. */
  readonly segments?: 'go-on' | 'restart' | undefined;
  /** Default "1"; usage has none. */
  readonly quantity?: string | undefined;
  readonly timing: 'advance' | 'arrears';
  /** Of what recurs: bills every k-th period, for k periods. Default 1. */
  readonly every?: number | undefined;
  /** Decimal of the minor unit, for one whole period; of a flat price. */
  readonly unitPrice?: string | undefined;
  /** In place of `unitPrice`; percentages are prices of usage alone, and a one-time fee is flat. */
  readonly price?: Price | undefined;
  readonly taxCode?: string | null | undefined;
  readonly taxBehaviour?: Item['taxBehaviour'] | undefined;
  readonly discountable?: boolean | undefined;
}

/** A day of month, or a local date-time. */
export type Anchor = { readonly dayOfMonth: number } | { readonly localDateTime: string };

/** The grid of a subscription that starts at a local date-time; without an anchor from the start of that date. */
export function startGrid(anchor: Anchor | undefined, asked: Interval, local: string): Grid {
  const every = interval(asked);
  if (anchor === undefined) return { anchor: startOfDay(dateOf(local)), interval: every };
  if ('dayOfMonth' in anchor) return gridOfDay(anchor.dayOfMonth, local, every);
  return { anchor: localDateTime(anchor.localDateTime), interval: every };
}

/** An item of the terms in force from a local date-time on. Raises the codes of category `invalid`. */
export function newItem(input: NewItem, from: string): Item {
  const componentKey = text('componentKey', input.componentKey ?? 'base', 100);
  const asked = checkedPrice(input.price ?? { model: 'flat', unitPrice: input.unitPrice ?? '0' });
  const { kind, ...measured } = itemKind(input, asked);
  const timing = oneOf('timing', input.timing, ['advance', 'arrears']);
  const quantity = itemQuantity(input.quantity);
  withinLimits({ kind, price: asked }, quantity);
  return {
    itemId: text('itemId', input.itemId ?? componentKey, 100),
    componentKey,
    ...(kind !== undefined && { kind }),
    ...measured,
    description: text('description', input.description, 500),
    quantity,
    every: cadence(input),
    ...(input.ofPlan && { ofPlan: input.ofPlan }),
    timing,
    price: asked,
    ...taxFields(input),
    from,
  };
}

/** Usage has a meter and is billed in arrears; percentages are of usage, and a one-time fee is flat. */
function itemKind(
  { kind, meter, segments, timing, quantity }: NewItem,
  of: Price,
): { readonly kind: Item['kind'] } & Pick<Item, 'meter' | 'segments'> {
  if (kind !== undefined) oneOf('kind', kind, ['one-time', 'usage']);
  const percentage = of.model === 'percentage' || of.model === 'graduated-percentage';
  if (kind !== 'usage') {
    if (meter !== undefined || segments !== undefined) throw invalid('usage, and only that, has a meter');
    if (percentage) throw new DomainError('invalid-price', 'a percentage is a price of usage');
    if (kind === 'one-time' && of.model !== 'flat') throw new DomainError('invalid-price', 'a one-time fee is flat');
    return { kind };
  }
  if (meter === undefined) throw invalid('usage, and only that, has a meter');
  if (timing !== 'arrears') throw invalid('usage is billed in arrears');
  if (quantity !== undefined) throw invalid('the quantity of usage is what its meter measures');
  if (segments !== undefined) oneOf('segments', segments, ['go-on', 'restart']);
  const measured = newMeter(meter);
  if (percentage && measured.aggregation !== 'sum') {
    throw new DomainError('invalid-price', 'a percentage is of the sum of amounts');
  }
  // How many records are free must be known before they are all there: what is kept of them is bounded.
  if (of.model === 'percentage' && of.freeAmount && of.recordFee && of.freeRecords === undefined) {
    throw new DomainError('invalid-price', 'with a fee per record, a free amount is of a number of free records');
  }
  return { kind, meter: measured, ...(segments === 'restart' && { segments }) };
}

/** Every how many periods an item bills, for as many. Raises `invalid-option`. */
function cadence({ every = 1, kind }: NewItem): number {
  if (!Number.isInteger(every) || every < 1 || every > MAX_EVERY) throw invalid(`every is 1 to ${MAX_EVERY}`);
  if (kind !== undefined && every !== 1) throw invalid('usage is billed every period, and a one-time fee once');
  return every;
}

/** The items of the terms in force from a local date-time on. Raises `too-many-items`, `duplicate-component`, `invalid-option`. */
export function newItems(inputs: readonly NewItem[], from: string): Item[] {
  return distinct(inputs.map((input) => newItem(input, from)));
}

/** The items, if no two have one id, component key or meter and they are not too many. Raises `too-many-items`, `duplicate-component`. */
export function distinct<T extends Pick<Item, 'itemId' | 'componentKey' | 'meter' | 'price'>>(items: T[]): T[] {
  if (items.length > MAX_ITEMS) throw new DomainError('too-many-items', `at most ${MAX_ITEMS} items`);
  const meters = items.flatMap(({ meter }) => meter?.key ?? []);
  const [ids, keys] = [items.map(({ itemId }) => itemId), items.map(({ componentKey }) => componentKey)];
  if ([ids, keys, meters].some((names) => new Set(names).size < names.length)) {
    throw new DomainError('duplicate-component');
  }
  const free = items.reduce((sum, { price: of }) => sum + (of.model === 'percentage' ? (of.freeRecords ?? 0) : 0), 0);
  if (free > MAX_FREE_RECORDS) {
    throw new DomainError('invalid-price', `all percentages have at most ${MAX_FREE_RECORDS} free records`);
  }
  return items;
}

/** A quantity of an item in canonical form. Raises `negative-amount`, `invalid-decimal`. */
export function itemQuantity(text = '1'): string {
  const quantity = parseDecimal(text);
  if (quantity.units < 0n) throw new DomainError('negative-amount');
  return formatDecimal(quantity);
}

/**
 * Raises `amount-out-of-range` when a whole period of the price and quantity comes to more than a line can, and `invalid-option`
 * for the quantity of usage.
 */
export function withinLimits({ kind, price: of }: Pick<NewItem, 'kind'> & { price: Price }, quantity: string): void {
  if (amountOf({ quantity: '1', unitPrice: of.minimum ?? '0' }, ONE) > MAX_LINE_NET) {
    throw new DomainError('amount-out-of-range', `a line is at most ${MAX_LINE_NET}`);
  }
  if (kind === 'usage') {
    if (quantity !== '1') throw invalid('the quantity of usage is what its meter measures');
    return;
  }
  if (amountOf(rate(of, { quantity }), ONE) > MAX_LINE_NET) {
    throw new DomainError('amount-out-of-range', `a line is at most ${MAX_LINE_NET}`);
  }
}

/** Quantity (default 1) and unit price in canonical form, with what they come to. Raises `negative-amount`, `amount-out-of-range`. */
export function price(quantityText = '1', unitPriceText: string): { quantity: string; unitPrice: string; net: string } {
  const [quantity, unitPrice] = [parseDecimal(quantityText), parseDecimal(unitPriceText)];
  if (quantity.units < 0n || unitPrice.units < 0n) throw new DomainError('negative-amount');
  const net = extend(quantity, unitPrice, ONE);
  if (net > MAX_LINE_NET) throw new DomainError('amount-out-of-range', `a line is at most ${MAX_LINE_NET}`);
  return { quantity: formatDecimal(quantity), unitPrice: formatDecimal(unitPrice), net: net.toString() };
}

/** The fields of tax, for which nothing is asked by default. */
export function taxFields(input: Pick<NewItem, 'taxCode' | 'taxBehaviour' | 'discountable'>) {
  const { taxCode = null, taxBehaviour = 'unspecified', discountable = true } = input;
  return {
    taxCode: taxCode === null ? null : text('taxCode', taxCode, 50),
    taxBehaviour: oneOf('taxBehaviour', taxBehaviour, ['exclusive', 'inclusive', 'unspecified']),
    discountable,
  };
}

const invalid = (message: string) => new DomainError('invalid-option', message);
