import { setTimeout as delay } from 'node:timers/promises';
import type { HttpClient } from '../support/http-client';
import type { Random } from '../support/random';
import { CommandJournal, type Journaled } from './command-journal';

const firstInstant = Date.UTC(2026, 0, 1);
const day = 86_400_000;

/** Subscriptions that callers start before they leave it at changing them. */
const mostSubscriptions = 30;

/** Callers of the service who know what they sent and what they were told: the load under every fault. */
export class Callers {
  readonly subscriptions: string[] = [];
  private readonly apart = new Set<string>();
  businessDay = 0;
  private keys = 0;
  private sending: { stopped: boolean; readonly done: Promise<unknown> } | undefined;

  constructor(
    private readonly random: Random,
    /** Asked for each command: with several API processes another one each time. */
    private readonly http: () => HttpClient,
    readonly journal = new CommandJournal(),
  ) {}

  /**
   * Keeps `inFlight` commands in flight until `stop`. With `readBack` callers wait now and then until a read model has
   * what they were told: they then send no more than it can follow, however slow the machine.
   */
  start(inFlight: number, { readBack = false }: { readonly readBack?: boolean } = {}): void {
    const sending = { stopped: false };
    const one = async () => {
      while (!sending.stopped) {
        const before = this.journal.commands.length;
        await this.act();
        // Who was refused a connection or told to come later does not try again at once.
        if (this.journal.commands.slice(before).some(({ state }) => state === 'unknown')) await delay(20);
        if (readBack && this.random.chance(1 / 8)) await this.readBack();
      }
    };
    const done = (async () => {
      if (this.subscriptions.length === 0) await this.act();
      await Promise.all(Array.from({ length: inFlight }, one));
    })();
    this.sending = Object.assign(sending, { done });
  }

  /** No new commands; resolves when those in flight are answered or lost. */
  async stop(): Promise<void> {
    if (!this.sending) return;
    this.sending.stopped = true;
    await this.sending.done;
    this.sending = undefined;
  }

  /** No new commands from here on; those in flight go on. */
  hush(): void {
    if (this.sending) this.sending.stopped = true;
  }

  /** Moves business time on; the scheduler then has periods to roll over. Asks again for 30 s; throws when refused. */
  async advance(days: number): Promise<void> {
    this.businessDay += days;
    const now = new Date(firstInstant + this.businessDay * day).toISOString();
    const ask = () => this.http().ask('PUT', '/v1/test-clock', { body: { now } });
    const until = performance.now() + 30_000;
    let { status, body } = await ask();
    while (status === 503 && performance.now() < until) ({ status, body } = await ask());
    if (status !== 200) throw new Error(`the test clock cannot be set: ${status} ${JSON.stringify(body)}`);
  }

  /** Sends one command, chosen by chance: mostly line items, also roll-overs, pauses, cancellations, new subscriptions. */
  async act(): Promise<void> {
    const { random } = this;
    const key = this.newKey();
    const id = this.subscriptions.length > 0 ? random.pick(this.subscriptions) : undefined;
    if (id === undefined || (this.subscriptions.length < mostSubscriptions && random.chance(0.05))) {
      await this.subscribe(key);
      return;
    }
    const of = (rest: string, body: unknown) =>
      this.journal.send(this.http(), key, `/v1/subscriptions/${id}/${rest}`, body);
    const done = await this.change(of, random.next());
    // Those that have ended take no more commands; those that are paused go on, so that most commands do something.
    if (done.code === 'subscription-canceled' && this.subscriptions.includes(id))
      this.subscriptions.splice(this.subscriptions.indexOf(id), 1);
    if (done.code === 'no-open-period')
      await this.journal.send(this.http(), `${key}-resume`, `/v1/subscriptions/${id}/resume`, {});
  }

  /** Starts a subscription. */
  async subscribe(key = this.newKey()): Promise<Journaled> {
    const started = await this.journal.send(this.http(), key, '/v1/subscriptions', this.newSubscription());
    if (started.answer) this.subscriptions.push(started.answer.id);
    return started;
  }

  /** Starts a subscription that the load leaves alone: nobody else cancels it or fills its period. */
  async subscribeApart(): Promise<Journaled> {
    const started = await this.journal.send(this.http(), this.newKey(), '/v1/subscriptions', this.newSubscription());
    if (started.answer) this.apart.add(started.answer.id);
    return started;
  }

  /** Adds a line item to one subscription. */
  addLineItem(id: string): Promise<Journaled> {
    const key = this.newKey();
    return this.journal.send(this.http(), key, `/v1/subscriptions/${id}/line-items`, this.newLineItem());
  }

  /** Asks for the period that has elapsed to be rolled over. */
  rollOver(id: string): Promise<Journaled> {
    const body = { periodNumber: this.random.between(1, 3) };
    return this.journal.send(this.http(), this.newKey(), `/v1/subscriptions/${id}/roll-over`, body);
  }

  /** Sends every command whose outcome is unknown again, with its key, until there is an answer: else a violation. */
  async settle(withinMs = 30_000): Promise<void> {
    const until = performance.now() + withinMs;
    for (;;) {
      const unknown = this.journal.get('unknown');
      if (unknown.length === 0) break;
      if (performance.now() > until) {
        for (const each of unknown) this.journal.violations.push(`${each.path} ${each.key}: never settled`);
        break;
      }
      await atMost(64, unknown, (each) => this.journal.attempt(this.http(), each));
    }
    for (const { answer, path } of this.journal.commands)
      if (answer && path === '/v1/subscriptions' && ![...this.apart, ...this.subscriptions].includes(answer.id))
        this.subscriptions.push(answer.id);
  }

  /** Repeats about 30 acknowledged commands with their keys: the journal notices another answer. */
  async askAgain(of: readonly Journaled[] = this.journal.commands): Promise<void> {
    const acknowledged = of.filter(({ state }) => state === 'acknowledged');
    const some = acknowledged.filter(() => this.random.chance(30 / Math.max(30, acknowledged.length)));
    await Promise.all(some.map((each) => this.journal.attempt(this.http(), each)));
  }

  /** Forgets the commands after the first `count`, as a store restored from an older backup does. */
  forgetAfter(count: number): void {
    const { commands } = this.journal;
    commands.splice(count);
    const known = commands.flatMap(({ path, answer }) => (answer && path === '/v1/subscriptions' ? [answer.id] : []));
    this.subscriptions.splice(0, Infinity, ...known);
  }

  private async readBack(): Promise<void> {
    const told = this.journal.commands.findLast(({ answer }) => answer !== undefined)?.answer;
    if (!told) return;
    const path = `/v1/subscriptions/${told.id}?minPosition=${told.position}`;
    await this.http()
      .get(path, { timeoutMs: 3_000 })
      .catch(() => undefined);
  }

  private newKey(): string {
    return `k${(this.keys += 1)}-${this.random.word(8)}`;
  }

  private change(of: (rest: string, body: unknown) => Promise<Journaled>, dice: number): Promise<Journaled> {
    const { random } = this;
    if (dice < 0.8) return of('line-items', this.newLineItem());
    if (dice < 0.86) return of('roll-over', { periodNumber: random.between(1, 40) });
    if (dice < 0.9) return of('pause', {});
    if (dice < 0.97) return of('resume', {});
    return random.chance(0.5) ? of('cancel', { at: 'period-end' }) : of('undo-cancellation', {});
  }

  private newLineItem(): object {
    return {
      lineItemId: `item-${this.keys}`,
      description: 'Work',
      unitPrice: String(this.random.between(1, 9_999)),
      quantity: this.random.pick(['1', '2', '0.5']),
    };
  }

  private newSubscription(): object {
    return {
      customerId: `customer-${this.random.between(1, 5)}`,
      currency: this.random.pick(['USD', 'EUR', 'JPY']),
      timeZone: this.random.pick(['UTC', 'Europe/Berlin', 'America/New_York']),
      interval: { unit: 'month', count: 1 },
      paymentTermsDays: 14,
      items: [
        {
          description: 'Base',
          timing: this.random.pick(['advance', 'arrears']),
          price: { model: 'flat', unitPrice: '3100' },
        },
      ],
    };
  }
}

async function atMost<T>(limit: number, all: readonly T[], task: (each: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const one = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await task(next);
  };
  await Promise.all(Array.from({ length: Math.min(limit, all.length) }, one));
}
