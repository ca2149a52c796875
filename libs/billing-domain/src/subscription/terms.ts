import { dateOf, gridOfDay, interval, localDateTime, startOfDay, type Grid, type Interval } from '../calendar';
import { formatDecimal, parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { extend, ONE } from '../ratio';
import { oneOf, text } from '../text';
import type { Item } from './events';

/** The largest net of one line, either way: a bill of as many lines as fit stays within what an amount can hold. */
export const MAX_LINE_NET = 10n ** 15n;
export interface NewItem {
  /** Default: the component key. */
  readonly itemId?: string | undefined;
  /** Default "base". */
  readonly componentKey?: string | undefined;
  readonly description: string;
  /** Default "1". */
  readonly quantity?: string | undefined;
  readonly timing: 'advance' | 'arrears';
  /** Decimal of the minor unit, for one whole period. */
  readonly unitPrice: string;
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

/** An item of the terms in force from a local date-time on. */
export function newItem(input: NewItem, from: string): Item {
  const componentKey = text('componentKey', input.componentKey ?? 'base', 100);
  const { quantity, unitPrice } = price(input.quantity, input.unitPrice);
  return {
    itemId: text('itemId', input.itemId ?? componentKey, 100),
    componentKey,
    description: text('description', input.description, 500),
    quantity,
    every: 1,
    timing: oneOf('timing', input.timing, ['advance', 'arrears']),
    price: { model: 'flat', unitPrice },
    ...taxFields(input),
    from,
  };
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
