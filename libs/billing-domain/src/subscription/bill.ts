import type { BillingRules } from '../billing-rules';
import { isTrueUp, trueUpLine, type Bound, type Commitment } from '../commitment/true-up';
import type { Line } from '../line';
import { lengthOf, type Span } from '../proration';
import { ratio } from '../ratio';
import type { LinesBilled } from './events';
import { serviceOf } from './moments';
import { stretchesOf, type Stop } from './outstanding';
import type { StartedSubscription } from './state';

/*
 * The last stage of making a bill: what is charged gets the lines that a minimum or maximum asks for. Each line follows from the
 * lines of its service period, billed or about to be: decided again, there is none. (billing-model.md §5)
 */

type Cause = LinesBilled['data']['cause'];

/** The bill of what is charged, with its true-ups; none when nothing is. `stop`: the subscription stops with it. */
export function bill(
  subscription: StartedSubscription,
  cause: Exclude<Cause, 'rebill'>,
  periodNumber: number,
  effectiveAt: string,
  charged: readonly Line[],
  stop?: Stop,
): LinesBilled[] {
  const lines = [...charged, ...trueUps(subscription, charged, stop)];
  return linesBilled(subscription, cause, periodNumber, effectiveAt, lines);
}

/** The one event by which lines leave the subscription; none for no lines. */
export function linesBilled(
  subscription: StartedSubscription,
  cause: Cause,
  periodNumber: number,
  effectiveAt: string,
  lines: readonly Line[],
): LinesBilled[] {
  if (lines.length === 0) return [];
  const { subscriptionId, customerId, timeZone, paymentTermsDays, autoFinalise } = subscription;
  const net = lines.reduce((sum, line) => sum + BigInt(line.net), 0n).toString();
  const data = {
    effectiveAt,
    subscriptionId,
    billNumber: subscription.billNumber + 1,
    periodNumber,
    cause,
    customerId,
    timeZone,
    paymentTermsDays,
    ...(autoFinalise === false && { autoFinalise }),
    currency: subscription.currency,
    lines,
    net,
  };
  return [{ type: 'LinesBilled', data }];
}

/** Lines that a bill may have for minimums and maximums: one for each item that has such a bound, and one over all. */
export function trueUpsAtMost({ terms }: StartedSubscription): number {
  const bounded = terms.flatMap(({ items }) => items.filter(({ price }) => price.minimum ?? price.maximum));
  const overAll = terms.some(({ conditions }) => conditions?.minimum ?? conditions?.maximum) ? 1 : 0;
  return new Set(bounded.map(({ itemId }) => itemId)).size + overAll;
}

/** What brings the last closed period to its minimums and maximums: first those of single items, then those over all. */
function trueUps(subscription: StartedSubscription, charged: readonly Line[], stop: Stop | undefined): Line[] {
  const { subscriptionId, rules, billed } = subscription;
  const pieces = stretchesOf(subscription, stop).flatMap(({ from, to, terms, period }) =>
    period && !period.open && to && typeof terms !== 'string' ? [{ from, to, terms, whole: period.whole }] : [],
  );
  const [first, last] = [pieces[0], pieces.at(-1)];
  if (!first || !last) return [];
  const period = { from: first.from, to: last.to };
  const service = serviceOf(subscription, period);
  const known = [...billed.map(({ line }) => line), ...charged];
  const trued = known.filter((line) => isTrueUp(line) && line.service.from >= service.from);
  const made: Line[] = [];
  const items = pieces.flatMap(({ terms }) => terms.items);
  for (const itemId of new Set([...items, ...trued, {}].map((each: { itemId?: string }) => each.itemId))) {
    const bounds = pieces.flatMap(({ from, to, terms }): Bounds[] => {
      const of =
        itemId === undefined ? (terms.conditions ?? {}) : terms.items.find((each) => each.itemId === itemId)?.price;
      return of ? [{ from, to, minimum: of.minimum, maximum: of.maximum }] : [];
    });
    const asked = bounds.some(({ minimum, maximum }) => minimum !== undefined || maximum !== undefined);
    if (!asked && trued.every((line) => line.itemId !== itemId)) continue;
    const item = items.findLast((each) => each.itemId === itemId);
    const [minimum, maximum] = [minimumOver(bounds, last.whole, rules), maximumOver(bounds, last.whole, rules)];
    const commitment: Commitment = {
      ...(itemId !== undefined && { itemId }),
      ...(item && { description: item.description }),
      ...(minimum && { minimum }),
      ...(maximum && { maximum }),
      taxCode: item?.taxCode ?? null,
      taxBehaviour: item?.taxBehaviour ?? 'unspecified',
      discountable: last.terms.conditions?.discountableTrueUps ?? false,
    };
    const line = trueUpLine(subscriptionId, commitment, [...known, ...made], {
      period,
      service,
      change: last.terms.change,
      rules,
    });
    if (line) made.push(line);
  }
  return made;
}

/** The bounds in force in one piece of a period. */
interface Bounds extends Span {
  readonly minimum: string | undefined;
  readonly maximum: string | undefined;
}

/** Nothing is asked for by a piece without a minimum. */
function minimumOver(bounds: readonly Bounds[], whole: Span, rules: BillingRules): Bound | undefined {
  return boundOver(
    bounds.flatMap(({ from, to, minimum: bound }) => (bound === undefined ? [] : [{ from, to, bound }])),
    whole,
    rules,
  );
}

/** A piece without a maximum may come to any amount, and with it the period. */
function maximumOver(bounds: readonly Bounds[], whole: Span, rules: BillingRules): Bound | undefined {
  const pieces = bounds.flatMap(({ from, to, maximum: bound }) => (bound === undefined ? [] : [{ from, to, bound }]));
  return pieces.length < bounds.length ? undefined : boundOver(pieces, whole, rules);
}

/** A bound over the part of the period that there was; of one that changed within it, each for its time. */
function boundOver(
  pieces: readonly (Span & { readonly bound: string })[],
  whole: Span,
  rules: BillingRules,
): Bound | undefined {
  const [first] = pieces;
  if (!first) return undefined;
  const lengths = pieces.map((piece) => lengthOf(piece, rules));
  const divisor = Math.max(lengthOf(whole, rules), 1);
  const length = Math.min(
    lengths.reduce((sum, each) => sum + each, 0),
    divisor,
  );
  if (pieces.every(({ bound }) => bound === first.bound)) {
    return { rating: { quantity: '1', unitPrice: first.bound }, fraction: ratio(length, divisor) };
  }
  const parts = pieces.map(({ bound }, tier) => {
    return { tier, per: 'unit', quantity: `${lengths[tier]}`, unitPrice: bound } as const;
  });
  return { rating: { quantity: '1', unitPrice: '0', parts }, fraction: ratio(1, divisor) };
}
