import { gridPeriod, toInstant, type Grid } from '../calendar';
import { sameJson } from '../json';
import { usageCut } from '../proration';
import type { MeterInUse } from '../usage/events';
import type { UsagePeriod } from '../usage/record-usage';
import type { Item } from './events';
import type { StartedSubscription } from './state';

/** A stretch of a period in which the same usage is charged on the same terms. */
export interface UsageStretch {
  /** Instants. */
  readonly from: string;
  readonly to: string;
  readonly items: readonly Item[];
  /** Ordinal of the change that began it. */
  readonly change: number;
}

interface Period {
  readonly periodNumber: number;
  readonly gridIndex: number;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly grid: Grid;
  readonly timeZone: string;
}

/** The open or the last closed period with that number. */
function periodOf(subscription: StartedSubscription, periodNumber: number): Period | undefined {
  const { openPeriod, lastClosed, grid, timeZone } = subscription;
  if (openPeriod?.periodNumber === periodNumber) return { ...openPeriod, grid, timeZone };
  return lastClosed?.periodNumber === periodNumber ? { timeZone, ...lastClosed } : undefined;
}

/** The stretches of a period, in order; usage items are cut by changes of usage items alone. */
export function usageStretches(subscription: StartedSubscription, periodNumber: number): UsageStretch[] {
  const period = periodOf(subscription, periodNumber);
  if (!period) return [];
  const { terms, rules } = subscription;
  const stretches: UsageStretch[] = [];
  terms.forEach(({ from, at: begun, items, change, timeZone = subscription.timeZone }, i) => {
    const at = begun ?? toInstant(from, timeZone);
    // What changes in the first or last second of a period changes with the period, whatever the rules say of that day.
    if (i > 0 && second(at) >= second(period.endsAt)) return;
    const asked = usageCut(at, timeZone, rules);
    const withPeriod = i === 0 || second(at) <= second(period.startsAt) || asked < period.startsAt;
    const begins = withPeriod ? period.startsAt : asked;
    if (begins >= period.endsAt) return;
    const usage = items.filter(({ kind }) => kind === 'usage');
    // What begins at one moment with another takes its place.
    while ((stretches.at(-1)?.from ?? '') >= begins) stretches.pop();
    const before = stretches.at(-1);
    if (before && sameItems(before.items, usage)) return;
    stretches.push({ from: begins, to: period.endsAt, items: usage, change });
  });
  return stretches.map((each, i) => ({ ...each, to: stretches[i + 1]?.from ?? each.to }));
}

/** A period as its usage needs it; undefined for one that the subscription no longer keeps. `knownAt`: the subscription's revision. */
export function usagePeriod(
  subscription: StartedSubscription,
  periodNumber: number,
  knownAt: number,
): UsagePeriod | undefined {
  const period = periodOf(subscription, periodNumber);
  if (!period) return undefined;
  const { subscriptionId } = subscription;
  const { timeZone } = period;
  const stretches = usageStretches(subscription, periodNumber);
  const whole = gridPeriod(period.grid, period.gridIndex);
  const meters = new Map<string, MeterInUse>();
  for (const { meter, price } of stretches.flatMap(({ items }) => items)) {
    if (!meter) continue;
    const asked = price.model === 'percentage' ? (price.freeRecords ?? 0) : 0;
    const first = Math.max(asked, meters.get(meter.key)?.first ?? 0);
    meters.set(meter.key, { meter, ...(first > 0 && { first }) });
  }
  return {
    subscriptionId,
    periodNumber,
    startsAt: period.startsAt,
    endsAt: period.endsAt,
    whole: { from: toInstant(whole.from, timeZone), to: toInstant(whole.to, timeZone) },
    meters: [...meters.values()],
    segments: stretches.map(({ from, items }, i) => {
      const anew = items.flatMap((item) => {
        const key = item.meter?.key ?? '';
        return meters.get(key)?.first !== undefined && beginsAnew(stretches, i, item) ? [key] : [];
      });
      return { from, meters: items.flatMap(({ meter }) => meter?.key ?? []), ...(anew.length > 0 && { anew }) };
    }),
    knownAt,
  };
}

/** Whether the free records of a meter that was read before are counted anew: by another component, or as the terms say. */
function beginsAnew(stretches: readonly UsageStretch[], place: number, item: Item): boolean {
  const reads = (each: Item) => each.meter?.key === item.meter?.key;
  const before = stretches.slice(0, place).findLast(({ items }) => items.some(reads));
  if (!before) return false;
  const goesOn = stretches[place - 1]?.items.some((each) => sameCharge(each, item)) === true;
  const byAnother = before.items.find(reads)?.componentKey !== item.componentKey;
  return byAnother || (item.segments === 'restart' && !goesOn);
}

/** Whether usage is charged alike, as one run of time where it follows the other. */
export function sameCharge(a: Item, b: Item): boolean {
  const charge = ({ itemId, meter, segments, price, taxCode, taxBehaviour, discountable }: Item) =>
    [itemId, meter?.key ?? null, segments ?? null, price, taxCode, taxBehaviour, discountable] as const;
  return sameJson(charge(a), charge(b));
}

/** The price of each meter that is in force now. */
export function usagePrices({ terms }: StartedSubscription): Record<string, Item['price']> {
  const items = terms.at(-1)?.items ?? [];
  return Object.fromEntries(items.flatMap(({ meter, price }) => (meter ? [[meter.key, price]] : [])));
}

const charged = (items: readonly Item[]) => items.map(({ from: _, to: __, ...item }) => item);
const sameItems = (a: readonly Item[], b: readonly Item[]) => sameJson(charged(a), charged(b));
const second = (instant: string) => instant.slice(0, 19);
