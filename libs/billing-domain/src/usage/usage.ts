import type { JsonValue } from '../json';
import type { MeterInUse, SealedUsage, UsageEvent, UsageSealed, UsageSegment } from './events';
import { propertyOf } from './meter';
import { withMeasured, type Tallied } from './tally';

/**
 * What was used in one period of a subscription. It keeps what is measured, not the records: those are found again by their ids,
 * which its stream remembers for ever. (billing-model.md §6)
 */
export type Usage = NoUsage | KnownUsage;

export interface NoUsage {
  readonly status: 'none';
}

export type KnownUsage = Measuring &
  ({ readonly status: 'open' } | { readonly status: 'sealed'; readonly sealed: SealedUsage });

interface Measuring extends Tallied {
  readonly subscriptionId: string;
  readonly periodNumber: number;
  readonly startsAt: string;
  /** Where the period ends; once sealed, where it really ended. */
  readonly endsAt: string;
  readonly whole: { readonly from: string; readonly to: string };
  /** By key. */
  readonly meters: Readonly<Record<string, MeterInUse>>;
  readonly segments: readonly UsageSegment[];
  /** Revision of the subscription that meters and segments are known from. */
  readonly knownAt: number;
  /** Records that count here, those that came late from earlier periods included. */
  readonly records: number;
  /** The latest own time of a record. */
  readonly lastAt: string | null;
  /**
   * There once unique counts were counted anew: what comes after it cannot be told from the values that the stream remembers, so
   * they are to be counted again before they are read or sealed.
   */
  readonly unique?: 'counted' | 'to-count';
}

/** Records what happened. Never refuses; an unknown event does not compile, and throws at run time. */
export function evolveUsage(state: Usage, event: UsageEvent): KnownUsage {
  if (event.type === 'UsageOpened') {
    const { effectiveAt: _, meters, ...data } = event.data;
    return {
      ...data,
      status: 'open',
      meters: byKey(meters),
      partials: data.segments.map(() => ({})),
      totals: {},
      records: 0,
      lastAt: null,
    };
  }
  if (state.status === 'none') throw new Error(`${event.type} before UsageOpened`);
  switch (event.type) {
    case 'UsageRecorded':
    case 'LateUsageCounted': {
      const { records, partials, totals } = event.data;
      const last = records.reduce((latest, { at }) => (at > latest ? at : latest), state.lastAt ?? '');
      return {
        ...withMeasured(state, [...partials], [...totals]),
        records: state.records + records.length,
        // What came late counts in the segment of its counting, wherever the segments are cut: its own time moves nothing.
        lastAt: event.type === 'UsageRecorded' ? last : later(state.lastAt, event.data.effectiveAt),
        ...(state.unique && { unique: 'to-count' }),
      };
    }
    case 'UsageCut': {
      const { endsAt, meters, segments, knownAt, partials, totals, recounted } = event.data;
      const empty = { ...state, partials: segments.map(() => ({})), totals: {} };
      return {
        ...withMeasured(empty, [...partials], [...totals]),
        endsAt,
        segments,
        knownAt,
        meters: { ...state.meters, ...byKey(meters) },
        ...(recounted && { unique: 'counted' }),
      };
    }
    case 'LateUsageNoted':
      return state;
    case 'UsageSealed':
      return { ...state, status: 'sealed', endsAt: event.data.to, sealed: withoutTime(event.data) };
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

function withoutTime({ effectiveAt: _, ...sealed }: UsageSealed['data']): SealedUsage {
  return sealed;
}

/** The token under which a stream remembers the id of a record of its own, or of one that came late. */
export const recordToken = (id: string) => `record ${id}`;
export const lateToken = (id: string) => `late ${id}`;
/** The token of a value that a unique count has counted. */
export const valueToken = (meter: string, value: string) => `value ${JSON.stringify([meter, value])}`;

/** What the stream remembers of an event: its records' ids, and the values that are new to its unique counts. */
function remembers(event: UsageEvent): string[] {
  if (event.type === 'LateUsageNoted') return event.data.records.map(({ id }) => recordToken(id));
  if (event.type !== 'UsageRecorded' && event.type !== 'LateUsageCounted') return [];
  const { records, unique = [] } = event.data;
  const token = event.type === 'UsageRecorded' ? recordToken : lateToken;
  const values = unique.flatMap(({ meter, property, records: places }) =>
    places.map((place) => valueToken(meter, propertyOf(records[place]!, property) ?? '')),
  );
  return [...records.map(({ id }) => token(id)), ...values];
}

const byKey = (meters: readonly MeterInUse[]) => Object.fromEntries(meters.map((each) => [each.meter.key, each]));
const later = (a: string | null, b: string) => (a !== null && a > b ? a : b);

const usageEvents: Readonly<Record<UsageEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  UsageOpened: [],
  UsageRecorded: [],
  UsageCut: [],
  LateUsageNoted: [],
  LateUsageCounted: [],
  UsageSealed: [],
};

/** What the aggregate repository needs to know of usage. */
export const usageType = {
  name: 'usage',
  catalog: usageEvents,
  initial: { status: 'none' } as Usage,
  evolve: evolveUsage,
  remembers,
  snapshot: {
    version: 1,
    toJSON: (state: Usage) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as Usage,
  },
} as const;
