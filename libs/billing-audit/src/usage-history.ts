import { usageId, usageType, type Usage, type UsageEvent } from '@perennial/billing-domain';
import { type AggregateRepository, type EventStore, type JsonValue, throughJson } from '@perennial/event-sourcing';
import { diffBetween, documentAt, type HistoryDiff, type Place, type Point } from './aggregate-history';

/** What was used in one period of a subscription, as it was at a point: the state that decisions are made on, without the records. */
export interface UsageAt extends Place {
  readonly usage: Readonly<Record<string, JsonValue>>;
}

type Usages = Pick<AggregateRepository<Usage, UsageEvent>, 'loadAt'>;

/** Which period of which subscription. */
interface UsageOf {
  readonly subscriptionId: string;
  readonly periodNumber: number;
}

const show = (state: Usage) =>
  state.status === 'none' ? undefined : (throughJson(state) as Readonly<Record<string, JsonValue>>);

/** The usage as it was, by replaying its events without snapshots; undefined when there was none for this tenant. */
export async function usageAt(
  usages: Usages,
  { subscriptionId, periodNumber }: UsageOf,
  tenant: string,
  point: Point,
): Promise<UsageAt | undefined> {
  const found = await documentAt(usages, usageId(tenant, subscriptionId, periodNumber), tenant, point, show);
  return found && { ...found.place, usage: found.document };
}

/** What changed between two points, field by field, and the events in between; undefined when either does not exist. */
export async function usageDiff(
  deps: { readonly usages: Usages; readonly store: EventStore; readonly prefix: string },
  { subscriptionId, periodNumber }: UsageOf,
  tenant: string,
  from: Point,
  to: Point,
): Promise<HistoryDiff | undefined> {
  const id = usageId(tenant, subscriptionId, periodNumber);
  const at = (point: Point) => documentAt(deps.usages, id, tenant, point, show);
  return diffBetween(deps, usageType.name, id, at, from, to);
}
