import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  addMilliseconds,
  CLOCK_TOLERANCE_MS,
  DomainError,
  recordTokens,
  recordUsage,
  usageId,
  usageKey,
  usagePeriod,
  usagePrices,
  usageRecord,
  valueTokens,
  type KnownUsage,
  type RecordAnswer,
  type StartedSubscription,
  type UsageEvent,
  type UsagePeriod,
  type UsageRecord,
} from '@perennial/billing-domain';
import {
  BudgetExhausted,
  OutcomeUnknown,
  QueueFull,
  StoreUnavailable,
  type Change,
  type CommandContext,
} from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import type { RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';
import { BillingRepositories } from '../repositories';
import { cutUsageOf } from '../usage-of-period';
import { rollOverElapsed } from '../with-elapsed-periods-rolled-over';
import { countLate, lateUsageRequest } from './count-late-usage';

/** A record as a caller reports it. */
export interface ReportedUsage {
  /** The subscription, or those of a customer of which one measures the event. */
  readonly subscriptionIds: readonly string[];
  readonly id: string;
  readonly event: string;
  readonly at: string;
  readonly value?: string | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
}

/** What became of each record, in the order of the request. */
export interface UsageReport {
  readonly records: readonly (
    | RecordAnswer
    /** Nothing is known of it: send it again, it counts once. */
    | { readonly id: string; readonly result: 'failed'; readonly code: FailureCode }
  )[];
  /** Log position of the last event that was recorded; "0" for none. */
  readonly position: string;
  readonly dryRun: boolean;
}

type FailureCode = 'store-unavailable' | 'outcome-unknown' | 'too-much-contention' | 'queue-full';

/** Records usage, each record in the stream of the period that holds its time. What fails is answered for its records alone. */
export class RecordUsage extends Command<UsageReport> {
  constructor(
    readonly records: readonly ReportedUsage[],
    readonly context: RequestContext,
  ) {
    super();
  }
}

/** Bytes of records that one event holds, so that its append stays under the store's limit with all that it measures. */
const MAX_EVENT_BYTES = 250_000;
/** Sealed periods before the last closed one in which a record's home is looked for. */
const MAX_PERIODS_BACK = 120;
/** Streams written to at a time. */
const WRITERS = 8;

type Answers = Map<number, UsageReport['records'][number]>;

interface Numbered {
  readonly place: number;
  readonly record: UsageRecord;
}

/** Records of one home: the period of a subscription that holds their time. */
interface Home {
  readonly subscriptionId: string;
  readonly periodNumber: number;
  readonly records: Numbered[];
}

@CommandHandler(RecordUsage)
export class RecordUsageHandler implements ICommandHandler<RecordUsage> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ records, context }: RecordUsage): Promise<UsageReport> {
    const now = await this.clock.now();
    const deadline = performance.now() + (context.timeBudgetMs ?? this.repositories.timeBudgetMs);
    const answers: Answers = new Map();
    const addressed = new Map<string, { readonly ids: readonly string[]; readonly records: Numbered[] }>();
    records.forEach(({ subscriptionIds, ...reported }, place) => {
      try {
        const record = usageRecord(reported);
        const name =
          subscriptionIds.length === 1 ? subscriptionIds.join() : JSON.stringify([subscriptionIds, record.event]);
        const group = addressed.get(name) ?? { ids: subscriptionIds, records: [] };
        addressed.set(name, group);
        group.records.push({ place, record });
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        answers.set(place, { id: reported.id, result: 'refused', code: error.code });
      }
    });
    let position = 0n;
    const at = (): CommandContext => ({ ...context, expectedRevision: undefined, now, timeBudgetMs: left(deadline) });
    const homes: Home[] = [];
    const failures: unknown[] = [];
    await each([...addressed.values()], async (group) => {
      await this.settled(group.records, answers, failures, async () => {
        homes.push(...(await this.homesOf(group.ids, group.records, answers, at())));
      });
    });
    await each(homes.flatMap(chunks), async (home) => {
      await this.settled(home.records, answers, failures, async () => {
        const recorded = await this.record(home, answers, at);
        if (recorded > position) position = recorded;
      });
    });
    // Nothing at all could be done: the request failed, not its records.
    if (failures.length > 0 && [...answers.values()].every(({ result }) => result === 'failed')) throw failures[0];
    return {
      records: records.map(
        ({ id }, place) => answers.get(place) ?? { id, result: 'failed', code: 'store-unavailable' },
      ),
      position: position.toString(),
      dryRun: context.dryRun ?? false,
    };
  }

  /** Answers for these records alone when what is done with them fails. */
  private async settled(
    records: readonly Numbered[],
    answers: Answers,
    failures: unknown[],
    done: () => Promise<void>,
  ): Promise<void> {
    try {
      await done();
    } catch (error) {
      const code = failureOf(error);
      if (code === undefined && !(error instanceof DomainError)) throw error;
      if (code !== undefined) failures.push(error);
      for (const { place, record } of records) {
        if (error instanceof DomainError) answers.set(place, { id: record.id, result: 'refused', code: error.code });
        else if (code !== undefined) answers.set(place, { id: record.id, result: 'failed', code });
      }
    }
  }

  /** Sorts records by the period that holds their time; what has none is answered. */
  private async homesOf(
    ids: readonly string[],
    records: readonly Numbered[],
    answers: Answers,
    context: CommandContext,
  ): Promise<Home[]> {
    const latest = records.reduce((last, { record }) => (record.at > last ? record.at : last), '');
    const candidates: StartedSubscription[] = [];
    for (const id of new Set(ids)) {
      const subscription = await this.upToDate(id, latest, context);
      if (subscription) candidates.push(subscription);
    }
    const homes = new Map<string, Home>();
    const older = new Map<string, KnownUsage[]>();
    for (const { place, record } of records) {
      const refuse = (code: DomainError['code']) => answers.set(place, { id: record.id, result: 'refused', code });
      const found: Home[] = [];
      for (const subscription of candidates) {
        const periodNumber = await this.homeOf(subscription, record, older, context.tenant);
        if (periodNumber === undefined) continue;
        found.push({ subscriptionId: subscription.subscriptionId, periodNumber, records: [] });
      }
      const measuring = ids.length === 1 ? found : found.filter((home) => measures(candidates, home, record, older));
      const [home] = measuring;
      if (candidates.length === 0) refuse('subscription-not-found');
      else if (record.at > addMilliseconds(context.now, CLOCK_TOLERANCE_MS)) refuse('usage-record-in-future');
      else if (measuring.length > 1) refuse('ambiguous-subscription');
      else if (!home) refuse(found.length > 0 ? 'meter-not-found' : 'usage-period-not-found');
      else {
        const name = `${home.subscriptionId} ${home.periodNumber}`;
        const known = homes.get(name) ?? home;
        homes.set(name, known);
        known.records.push({ place, record });
      }
    }
    return [...homes.values()];
  }

  /** The subscription, rolled over where a record lies after the end of its open period. */
  private async upToDate(
    id: string,
    latest: string,
    context: CommandContext,
  ): Promise<StartedSubscription | undefined> {
    const { subscriptions } = this.repositories;
    const loaded = await subscriptions.load(id, context.tenant);
    if (!loaded || loaded.state.status === 'none') return undefined;
    const { openPeriod } = loaded.state;
    const due = openPeriod && openPeriod.endsAt <= context.now && latest >= openPeriod.endsAt;
    if (!due || context.dryRun === true) return loaded.state;
    await rollOverElapsed(this.repositories, id, context);
    const after = (await subscriptions.load(id, context.tenant))?.state;
    return after?.status === 'none' ? undefined : after;
  }

  /** The number of the period that holds the record's time. `older`: the usage of earlier periods, newest first, as far as it was read. */
  private async homeOf(
    { openPeriod, lastClosed, subscriptionId }: StartedSubscription,
    { at }: UsageRecord,
    older: Map<string, KnownUsage[]>,
    tenant: string,
  ): Promise<number | undefined> {
    for (const period of [openPeriod, lastClosed]) {
      if (period && period.startsAt <= at && at < period.endsAt) return period.periodNumber;
    }
    if (!lastClosed || at >= lastClosed.startsAt) return undefined;
    const read = older.get(subscriptionId) ?? [];
    older.set(subscriptionId, read);
    for (let back = 0; back < MAX_PERIODS_BACK; back += 1) {
      const periodNumber = lastClosed.periodNumber - 1 - back;
      if (periodNumber < 1) return undefined;
      let usage = read[back];
      if (!usage) {
        const state = (await this.repositories.usages.load(usageId(tenant, subscriptionId, periodNumber), tenant))
          ?.state;
        if (!state || state.status === 'none') return undefined;
        read[back] = usage = state;
      }
      if (usage.startsAt <= at) return at < usage.endsAt ? periodNumber : undefined;
    }
    return undefined;
  }

  /** Records what belongs to one period; the position of the last event. */
  private async record(home: Home, answers: Answers, at: () => CommandContext): Promise<bigint> {
    const { repositories } = this;
    const { subscriptionId, periodNumber } = home;
    for (;;) {
      const context = at();
      const id = usageId(context.tenant, subscriptionId, periodNumber);
      const loaded = await repositories.subscriptions.load(subscriptionId, context.tenant);
      if (!loaded || loaded.state.status === 'none') throw new DomainError('subscription-not-found');
      const subscription = loaded.state;
      const knownAt = Number(loaded.revision);
      const period = usagePeriod(subscription, periodNumber, knownAt);
      const open = subscription.openPeriod
        ? usagePeriod(subscription, subscription.openPeriod.periodNumber, knownAt)
        : undefined;
      const records = home.records.map(({ record }) => record);
      const known = period && (await this.countedBefore(subscription, period, records, context.tenant));
      const undecided = home.records.filter(({ place, record }) => {
        const before = known?.get(record.id);
        if (before) answers.set(place, before);
        return !before;
      });
      if (undecided.length === 0) return 0n;
      try {
        return await this.decide(id, undecided, { period, open, prices: usagePrices(subscription) }, answers, context);
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'usage-terms-differ' || !period) throw error;
        // Whoever knows the later terms cuts; who finds later ones there asks the subscription again.
        await cutUsageOf(repositories, context, period);
      }
    }
  }

  private async decide(
    id: string,
    records: readonly Numbered[],
    terms: Pick<Parameters<typeof recordUsage>[1], 'period' | 'open' | 'prices'>,
    answers: Answers,
    context: CommandContext,
  ): Promise<bigint> {
    const input = { ...terms, records: records.map(({ record }) => record) };
    const ids = input.records.map((record) => record.id);
    const request = {
      ...context,
      key: usageKey(context.key, id, ids),
      fingerprint: fingerprintOf({ command: 'RecordUsage', records: input.records }),
    };
    let decided: readonly RecordAnswer[] = [];
    let change: Change<UsageEvent> | undefined;
    try {
      change = await this.repositories.usages.change(
        id,
        request,
        (usage, { recalled: records, contained: values }) => {
          const decision = recordUsage(usage, input, { records, values }, context.now);
          decided = decision.answers;
          if (decision.events.length === 0) throw new NothingToRecord(decided);
          return decision.events;
        },
        { recalls: recordTokens(input.records), contains: valueTokens(input.records, terms.period?.meters ?? []) },
      );
    } catch (error) {
      if (!(error instanceof NothingToRecord)) throw error;
      decided = error.answers;
    }
    const noted = change?.events.find(({ event }) => event.type === 'LateUsageNoted');
    if (change?.repeated === true) decided = await this.asAnswered(id, input, change, context);
    let countsIn: number | undefined;
    let position = change?.position ?? 0n;
    if (noted?.event.type === 'LateUsageNoted' && context.dryRun !== true) {
      const late = await countLate(
        this.repositories,
        { ...context, ...lateUsageRequest(noted.id), causationId: noted.id },
        noted.event.data,
      );
      countsIn = late.periodNumber;
      if (late.change.position > position) position = late.change.position;
    }
    decided.forEach((answer, i) => {
      const place = records[i]?.place;
      if (place === undefined) return;
      answers.set(
        place,
        answer.result === 'late-accepted' && countsIn !== undefined ? { ...answer, countsIn } : answer,
      );
    });
    return position;
  }

  /** What a repeated key was answered: its events say what was accepted; of the rest nothing was recorded, so it is as it is. */
  private async asAnswered(
    id: string,
    input: Parameters<typeof recordUsage>[1],
    { events }: Change<UsageEvent>,
    { tenant, now }: CommandContext,
  ): Promise<RecordAnswer[]> {
    const { usages } = this.repositories;
    const state = (await usages.load(id, tenant))?.state;
    if (!state || state.status === 'none') throw new DomainError('usage-period-not-found');
    const { periodNumber } = state;
    const recorded = new Map<string, { readonly record: UsageRecord; readonly countsIn?: number }>();
    for (const { event } of events) {
      if (event.type === 'UsageRecorded') for (const record of event.data.records) recorded.set(record.id, { record });
      if (event.type !== 'LateUsageNoted') continue;
      for (const record of event.data.records) recorded.set(record.id, { record, countsIn: event.data.countsIn });
    }
    const known = { records: await usages.recall(id, tenant, recordTokens(input.records)), values: new Set<string>() };
    const again = recordUsage(state, { ...input, period: undefined }, known, now);
    const seen = new Set<string>();
    return input.records.map((record, i): RecordAnswer => {
      const first = recorded.get(record.id);
      const isFirst = first !== undefined && !seen.has(record.id);
      seen.add(record.id);
      if (isFirst && first.countsIn !== undefined) {
        return { id: record.id, result: 'late-accepted', periodNumber, countsIn: first.countsIn };
      }
      if (isFirst) return { id: record.id, result: 'accepted', periodNumber };
      return again.answers[i] ?? { id: record.id, result: 'duplicate', periodNumber };
    });
  }

  /**
   * Records of the first moments of a period that the one before has: it was cut short while they were on their way, and a clock
   * that is ahead had dated them after its end.
   */
  private async countedBefore(
    { subscriptionId, lastClosed, openPeriod }: StartedSubscription,
    { startsAt, periodNumber }: UsagePeriod,
    records: readonly UsageRecord[],
    tenant: string,
  ): Promise<ReadonlyMap<string, RecordAnswer>> {
    const answers = new Map<string, RecordAnswer>();
    if (!lastClosed || openPeriod?.periodNumber !== periodNumber || lastClosed.endsAt !== startsAt) return answers;
    const early = records.filter(({ at }) => at < addMilliseconds(startsAt, CLOCK_TOLERANCE_MS));
    if (early.length === 0) return answers;
    const before = periodNumber - 1;
    const recalled = await this.repositories.usages.recall(
      usageId(tenant, subscriptionId, before),
      tenant,
      recordTokens(early),
    );
    for (const record of early) {
      const held = [...recalled.values()].some(
        ({ type, data }) =>
          type === 'UsageRecorded' &&
          data.records.some(({ id, at, event }) => id === record.id && at === record.at && event === record.event),
      );
      if (held) answers.set(record.id, { id: record.id, result: 'duplicate', periodNumber: before });
    }
    return answers;
  }
}

/** Thrown by a decision that records nothing, so that the repository notes nothing. */
class NothingToRecord extends Error {
  constructor(readonly answers: readonly RecordAnswer[]) {
    super('nothing to record');
  }
}

/** Parts of a home's records that one event can hold. */
function chunks(home: Home): Home[] {
  const made: Home[] = [];
  let bytes = 0;
  for (const each of home.records) {
    const size = Buffer.byteLength(JSON.stringify(each.record));
    const last = made.at(-1);
    if (!last || bytes + size > MAX_EVENT_BYTES) {
      made.push({ ...home, records: [each] });
      bytes = size;
    } else {
      last.records.push(each);
      bytes += size;
    }
  }
  return made;
}

/** Whether the subscription of a home measures the record's event there. */
function measures(
  candidates: readonly StartedSubscription[],
  { subscriptionId, periodNumber }: Home,
  { event }: UsageRecord,
  older: ReadonlyMap<string, KnownUsage[]>,
): boolean {
  const subscription = candidates.find((each) => each.subscriptionId === subscriptionId);
  const period = subscription && usagePeriod(subscription, periodNumber, 0);
  const known = older.get(subscriptionId)?.find((usage) => usage.periodNumber === periodNumber);
  const meters = period?.meters ?? Object.values(known?.meters ?? {});
  return meters.some(({ meter }) => meter.event === event);
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

function left(deadline: number): number {
  return Math.max(deadline - performance.now(), 1);
}

function failureOf(error: unknown): FailureCode | undefined {
  if (error instanceof StoreUnavailable) return 'store-unavailable';
  if (error instanceof OutcomeUnknown) return 'outcome-unknown';
  if (error instanceof BudgetExhausted) return 'too-much-contention';
  return error instanceof QueueFull ? 'queue-full' : undefined;
}
