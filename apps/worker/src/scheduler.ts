import { setTimeout as sleep } from 'node:timers/promises';
import { billDueUsage, rollOverElapsedPeriods } from '@perennial/billing-application';
import {
  dueBillingPeriods,
  dueUsageBills,
  findDueBillingPeriods,
  findDueUsageBills,
} from '@perennial/billing-read-models';
import type { Connections } from '../../process/src/connections';
import { settleReservations } from './coupon-reservations';
import type { Visibility } from '../../process/src/visibility';

/** A period that failed is left alone for this long, ms, so that it cannot keep others waiting. */
const restMs = 30_000;

type Step = ReturnType<typeof billDueUsage | typeof rollOverElapsedPeriods>[number];

/** What a roll-over answers that matters here: where it was recorded. */
type Dispatch = (command: object) => Promise<{ readonly position: string }>;

/**
 * Rolls elapsed billing periods over and bills usage whose grace has ended, one look at a time: asks the read models what is due,
 * sends a command for each, waits until they have seen them, and looks again at once while there is more (months of downtime are caught up
 * one boundary after another). Safe beside others of its kind: the commands' keys derive from subscription and period.
 */
export class Scheduler {
  private readonly stopped = new AbortController();
  private running: Promise<void> | undefined;
  private readonly resting = new Map<string, number>();

  constructor(
    private readonly connections: Connections,
    private readonly visibility: Visibility,
    private readonly dispatch: Dispatch,
    /** Whether another process does the work; two at once would do no harm. */
    private readonly standsBy: () => boolean,
  ) {}

  start(): void {
    this.running ??= this.run();
  }

  /** Finishes the roll-overs in flight. */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { config, logger } = this.connections;
    const { signal } = this.stopped;
    while (!signal.aborted) {
      let rolledOver = 0;
      try {
        rolledOver = this.standsBy() ? 0 : await this.look();
        if (!this.standsBy()) await settleReservations(this.connections, this.dispatch);
      } catch (err) {
        logger.warn({ err }, 'the scheduler could not look for what is due');
      }
      if (rolledOver === 0) await sleep(config.schedulerIntervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** How many periods were rolled over. */
  private async look(): Promise<number> {
    const { config, clock, readModels, watch } = this.connections;
    const now = await clock.now();
    for (const [name, until] of this.resting) if (until <= performance.now()) this.resting.delete(name);
    const limit = config.schedulerBatch + this.resting.size;
    const isLive = async (model: string) => (await watch.asOf(model)).state === 'live';
    const usage = (await isLive(dueUsageBills.name)) ? await findDueUsageBills(readModels, { now, limit }) : [];
    const elapsed = (await isLive(dueBillingPeriods.name))
      ? await findDueBillingPeriods(readModels, { now, limit, held: false })
      : [];
    const due = [...billDueUsage(usage), ...rollOverElapsedPeriods(elapsed)].filter(
      (each) => !this.resting.has(nameOf(each)),
    );

    let last = -1n;
    let done = 0;
    const waiting = due.values();
    const roller = async () => {
      for (const step of waiting) {
        if (this.stopped.signal.aborted) return;
        const position = await this.take(step);
        if (position === undefined) continue;
        done += 1;
        if (position > last) last = position;
      }
    };
    await Promise.all(Array.from({ length: config.schedulerConcurrency }, roller));
    if (done > 0) {
      await this.visibility.waitFor(dueBillingPeriods.name, last, config.visibilityWaitMs);
      await this.visibility.waitFor(dueUsageBills.name, last, config.visibilityWaitMs);
    }
    return done;
  }

  private async take(step: Step): Promise<bigint | undefined> {
    try {
      return BigInt((await this.dispatch(step)).position);
    } catch (err) {
      this.resting.set(nameOf(step), performance.now() + restMs);
      const { subscriptionId, periodNumber } = step;
      this.connections.logger.warn({ err, subscriptionId, periodNumber }, 'a roll-over failed and will be tried again');
      return undefined;
    }
  }
}

function nameOf({ subscriptionId, periodNumber }: Step): string {
  return `${subscriptionId}/${periodNumber}`;
}
