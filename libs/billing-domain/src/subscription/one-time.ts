import { addDays, dateOf, startOfDay, toInstant, toLocal } from '../calendar';
import { lineId } from '../ids';
import { sameJson } from '../json';
import type { Line } from '../line';
import { amountOf, rate, type Rating } from '../price/rate';
import { ONE } from '../ratio';
import type { Item } from './events';
import { isBefore, momentThen, spanOf } from './moments';
import type { StartedSubscription } from './state';

/*
 * One-time items: charged once, whole, for the day on which they come into terms that are paid for. While the item stays in the
 * terms, whatever becomes of its price or of the plan, it is charged no more; a fee that the same day takes back is given back whole.
 */

type Terms = StartedSubscription['terms'][number];

/** The lines of one-time items that ought to exist and do not: corrections, then charges. */
export function oneTimeLines(subscription: StartedSubscription): Line[] {
  const { billed, terms } = subscription;
  const lines = billed.map(({ line }) => line);
  const held = billed.flatMap(({ line, waived }) => {
    if (line.kind !== 'one-time' || line.itemId === undefined) return [];
    if (lines.some(({ kind, corrects }) => kind === 'correction' && corrects === line.lineId)) return [];
    return [{ line, waived }];
  });
  const asked = askedItems(subscription);
  const sameFee = (line: Line, { item, on }: Asked) =>
    line.itemId === item.itemId && line.service.from === on && sameJson(ratingOf(line), rate(item.price, item));
  const first = terms[0];
  const corrections = held
    .filter(({ line }) => first && !isBefore(subscription, spanOf(line).from, momentThen(subscription, first)))
    .filter(({ line }) => !asked.some((each) => sameFee(line, each)))
    .map(({ line, waived }) => givenBack(subscription, line, waived === true));
  const charges = asked
    .filter((each) => each.due && !held.some(({ line }) => sameFee(line, each)))
    .map((each) => charge(subscription, each));
  return [...corrections, ...charges];
}

interface Asked {
  readonly item: Item;
  readonly change: number;
  /** Local date-time, and its date. */
  readonly local: string;
  readonly on: string;
  /** Within the time that is not certainly billed already. */
  readonly due: boolean;
}

/** The one-time items that the terms ask for, each at its moment: of several changes in one moment the last counts. */
function askedItems(subscription: StartedSubscription): Asked[] {
  const { terms, openPeriod, lastClosed, paidFrom, timeZone } = subscription;
  const { paidOn: paid = toLocal(paidFrom, timeZone) } = subscription;
  const [begins, ends] = [lastClosed?.from ?? openPeriod?.from ?? '', openPeriod?.to ?? lastClosed?.to ?? ''];
  const closed = openPeriod ? openPeriod.from : ends;
  const paidFor = (openPeriod ?? lastClosed)?.kind === 'regular';
  const asked = new Map<string, Asked>();
  for (const { itemId, kind, from } of terms.flatMap(({ items }) => items)) {
    if (kind !== 'one-time') continue;
    const local = from > paid ? from : paid;
    const inForce = termsAt(subscription, local);
    const item = inForce?.items.find((each) => each.itemId === itemId && each.kind === 'one-time');
    if (!inForce || !item || (item.from > paid ? item.from : paid) !== local) continue;
    const due = paidFor && local >= begins && local < (item.timing === 'arrears' ? closed : ends);
    asked.set(`${itemId} ${local}`, { item, change: inForce.change, local, on: dateOf(local), due });
  }
  return [...asked.values()];
}

/** By the clocks on the wall, as they went on: the zone may have changed since. */
function termsAt({ terms, rules }: StartedSubscription, local: string): Terms | undefined {
  const digits = rules.prorationUnit === 'second' ? 19 : 10;
  return terms.findLast(({ from }) => from.slice(0, digits) <= local.slice(0, digits));
}

function charge(subscription: StartedSubscription, { item, change, local, on }: Asked): Line {
  const { subscriptionId, rules, timeZone } = subscription;
  const { itemId, description, taxCode, taxBehaviour, discountable } = item;
  const service = { from: on, to: addDays(on, 1) };
  const rating = rate(item.price, item);
  return {
    lineId: lineId(subscriptionId, itemId, 'one-time', service, null, change),
    kind: 'one-time',
    itemId,
    description,
    service,
    ...rating,
    net: amountOf(rating, ONE).toString(),
    taxCode,
    taxBehaviour,
    discountable,
    change,
    rule: {
      name: item.price.model,
      fraction: { numerator: '1', denominator: '1' },
      rounding: rules.rounding,
      // From its moment: what is counted in seconds is also looked for by the second.
      ...(rules.prorationUnit === 'second' && {
        instants: { from: toInstant(local, timeZone), to: toInstant(startOfDay(service.to), timeZone) },
      }),
    },
    metadata: {},
  };
}

function givenBack({ subscriptionId, terms, rules }: StartedSubscription, line: Line, waived: boolean): Line {
  const change = terms.at(-1)?.change ?? 0;
  return {
    ...line,
    lineId: lineId(subscriptionId, line.itemId ?? '', 'correction', line.service, line.lineId, change),
    kind: 'correction',
    // What was waived costs nothing, whatever becomes of it.
    net: waived ? '0' : (-BigInt(line.net)).toString(),
    corrects: line.lineId,
    change,
    rule: {
      name: line.rule.name,
      fraction: { numerator: '0', denominator: '1' },
      rounding: rules.rounding,
      ...(line.rule.instants && { instants: line.rule.instants }),
      credit: { basis: 're-rate', netSoFar: line.net, ...(waived && { waived: true }) },
    },
  };
}

function ratingOf({ quantity, unitPrice, parts }: Line): Rating {
  return { quantity, unitPrice, ...(parts && { parts }) };
}
