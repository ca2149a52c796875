import { addDays, toLocalDate } from '../calendar';
import { formatTrillionths, parseDecimal } from '../decimal';
import { lineId } from '../ids';
import type { Line } from '../line';
import { toTrillionths } from '../price/price';
import { amountOf, type Rating } from '../price/rate';
import { ONE } from '../ratio';
import { encodedBytes } from '../text';
import type { SealedUsage } from '../usage/events';
import { rateRun, type UsageRun } from '../usage/rate-usage';
import type { Item } from './events';
import type { StartedSubscription } from './state';
import { MAX_LINE_NET } from './terms';
import { sameCharge, usageStretches, type UsageStretch } from './usage-period';

/*
 * What the sealed usage of a period is charged. Each component gives one line for each run of time under the same charge; its tiers
 * and free units go on from run to run unless its terms say `restart`. (billing-model.md §6)
 */

interface Run {
  readonly item: Item;
  readonly change: number;
  readonly from: string;
  readonly to: string;
  readonly quantity: bigint;
  readonly records: number;
  readonly first: readonly string[];
}

/** The lines of a period's usage; none of a trial. What was not used costs nothing, but for a flat fee of the first tier. */
export function usageLines(subscription: StartedSubscription, sealed: SealedUsage): Line[] {
  const { lastClosed } = subscription;
  if (lastClosed?.periodNumber === sealed.periodNumber && lastClosed.kind === 'trial') return [];
  const stretches = usageStretches(subscription, sealed.periodNumber);
  const keys = new Set(stretches.flatMap(({ items }) => items.map(({ componentKey }) => componentKey)));
  return [...keys].flatMap((key) => componentLines(subscription, sealed, runsOf(stretches, sealed, key)));
}

/** The usage lines that a bill of the open period can have at most, by their item. */
export function usageLinesAtMost(subscription: StartedSubscription): { readonly item: Item; readonly bytes: number }[] {
  const { openPeriod } = subscription;
  if (!openPeriod) return [];
  const full: UsageRun = {
    quantity: MAX_LINE_NET * 10n ** 12n - 1n,
    before: 0n,
    total: MAX_LINE_NET * 10n ** 12n,
    isFirst: true,
    records: Number.MAX_SAFE_INTEGER,
    first: [],
    usedRecords: 0,
    usedAmount: 0n,
  };
  return usageStretches(subscription, openPeriod.periodNumber).flatMap(({ items }) =>
    items.map((item) => {
      const texts = encodedBytes([item.itemId, item.description, item.taxCode]);
      return { item, bytes: USAGE_LINE_BYTES + texts + encodedBytes(rateRun(item.price, full).rating) };
    }),
  );
}

/** What a usage line has besides its texts and its rating. */
const USAGE_LINE_BYTES = 1_300;

/** Segments that follow each other on the same charge are one run. */
function runsOf(stretches: readonly UsageStretch[], sealed: SealedUsage, componentKey: string): Run[] {
  const runs: Run[] = [];
  for (const { from, to, items, change } of stretches) {
    const item = items.find((each) => each.componentKey === componentKey);
    if (!item?.meter) continue;
    const { key } = item.meter;
    const segment = sealed.segments.find((each) => each.from === from);
    const measured = segment?.meters.find(({ meter }) => meter === key);
    const asked = measured ? toTrillionths(parseDecimal(measured.quantity)) : 0n;
    const run = {
      item,
      change,
      from,
      to,
      quantity: asked,
      records: measured?.records ?? 0,
      first: measured?.first ?? [],
    };
    const before = runs.at(-1);
    if (before?.to === from && sameCharge(before.item, item)) {
      runs[runs.length - 1] = {
        ...before,
        to,
        quantity: before.quantity + run.quantity,
        records: before.records + run.records,
        first: [...before.first, ...run.first],
      };
    } else runs.push(run);
  }
  // Less than nothing is nothing, in all.
  return runs.map((run) => (run.quantity < 0n ? { ...run, quantity: 0n } : run));
}

function componentLines(
  subscription: StartedSubscription,
  { periodNumber }: SealedUsage,
  runs: readonly Run[],
): Line[] {
  const all = runs.reduce((sum, { quantity }) => sum + quantity, 0n);
  let [before, usedRecords, usedAmount] = [0n, 0, 0n];
  let isFirst = true;
  return runs.flatMap((run) => {
    const { item, quantity, records, first } = run;
    const restarts = item.segments === 'restart';
    const { rating, free } = rateRun(item.price, {
      quantity,
      records,
      first,
      before: restarts ? 0n : before,
      total: restarts ? quantity : all,
      isFirst: restarts || isFirst,
      usedRecords: restarts ? 0 : usedRecords,
      usedAmount: restarts ? 0n : usedAmount,
    });
    const at = { meter: item.meter?.key ?? '', periodNumber, from: run.from, to: run.to };
    const usage = before > 0n && !restarts ? { ...at, before: formatTrillionths(before) } : at;
    before += quantity;
    usedRecords += records;
    usedAmount += free;
    isFirst = false;
    const net = amountOf(rating, ONE, subscription.rules.roundedPer);
    if (net === 0n && quantity === 0n) return [];
    return [lineOf(subscription, run, { rating, net: net > MAX_LINE_NET ? MAX_LINE_NET : net, usage })];
  });
}

function lineOf(
  { subscriptionId, rules, ...subscription }: StartedSubscription,
  { item, change, from, to }: Run,
  charged: { readonly rating: Rating; readonly net: bigint; readonly usage: NonNullable<Line['rule']['usage']> },
): Line {
  const { rating, net, usage } = charged;
  const { itemId, description, taxCode, taxBehaviour, discountable } = item;
  const { lastClosed } = subscription;
  const then = lastClosed?.periodNumber === usage.periodNumber ? lastClosed.timeZone : undefined;
  const timeZone = then ?? subscription.timeZone;
  const [first, end] = [toLocalDate(from, timeZone), toLocalDate(to, timeZone)];
  return {
    lineId: lineId(subscriptionId, itemId, 'usage', { from, to }, null, change),
    kind: 'usage',
    itemId,
    description,
    service: { from: first, to: end > first ? end : addDays(first, 1) },
    ...rating,
    net: net.toString(),
    taxCode,
    taxBehaviour,
    discountable,
    change,
    rule: {
      name: item.price.model,
      fraction: { numerator: '1', denominator: '1' },
      rounding: rules.rounding,
      ...(rules.roundedPer && { roundedPer: rules.roundedPer }),
      usage,
    },
    metadata: {},
  };
}
