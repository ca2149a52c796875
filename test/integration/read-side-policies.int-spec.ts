import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  EventStore,
  OutcomeUnknown,
  type Policy,
  PolicyRunner,
  type PolicyRunnerOptions,
  readParkedReactions,
  readPolicyPosition,
  requestRetry,
  streamNames,
} from '@perennial/event-sourcing';
import { accountCatalogs, accountEvent, Accounts } from '../support/accounts';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { logger, until } from '../support/read-side';
import { tcpProxy } from '../support/tcp-proxy';

class Reward {
  constructor(
    readonly account: string,
    readonly revision: bigint,
    readonly eventId: string,
  ) {}
}

class Refused extends Error {}

const rewardDeposits: Policy<Reward> = {
  name: 'rewardDeposits',
  handles: ['Deposited', 'Poisoned'],
  react: ({ aggregateId, revision, id, event }) => {
    if (event.type === 'Poisoned') throw new TypeError('no reaction to this');
    return [new Reward(aggregateId, revision, id)];
  },
};

describe('the policy runner', () => {
  let server: TestEventStore;
  let store: EventStore;
  const runners: PolicyRunner[] = [];
  beforeAll(async () => {
    server = await testEventStore();
    store = EventStore.connect({ url: server.url, appendDeadlineMs: 10_000 });
  });
  afterAll(async () => {
    await Promise.all(runners.map((runner) => runner.stop()));
    await store.close();
    await server.close();
  });

  const setting = () => {
    const prefix = `p${randomUUID().slice(0, 8)}`;
    const accounts = new Accounts(store, prefix);
    const done: Reward[] = [];
    const start = (options: Partial<PolicyRunnerOptions> = {}) => {
      const runner = new PolicyRunner({
        store,
        streamPrefix: prefix,
        policies: [rewardDeposits],
        catalogs: accountCatalogs,
        dispatch: async (command) => void done.push(command as Reward),
        isRefused: (error) => error instanceof Refused,
        logger,
        saveEveryMs: 50,
        ...options,
      });
      runners.push(runner);
      runner.start();
      return runner;
    };
    const revisions = (account: string) => done.filter((reward) => reward.account === account).map((r) => r.revision);
    return { prefix, accounts, done, start, revisions };
  };

  it('makes a subscription anew through which nothing comes any more', async () => {
    const { hostname, port } = new URL(server.url.replace(/^esdb/, 'http'));
    const proxy = await tcpProxy({ host: hostname, port: Number(port) });
    const url = server.url.replace(`:${port}`, `:${proxy.port}`);
    const behind = EventStore.connect({ url, appendDeadlineMs: 300, readDeadlineMs: 300 });
    const { accounts, start, revisions } = setting();
    const account = randomUUID();
    const runner = start({ store: behind, silenceMs: 300 });
    try {
      await accounts.deposit(account, 1);
      await until(() => revisions(account).includes(0n));
      proxy.freezeOpen();
      await accounts.deposit(account, 1);
      await until(() => revisions(account).includes(1n));
    } finally {
      await runner.stop();
      await behind.close();
      await proxy.close();
    }
  });

  it('executes in order within a stream and in parallel across streams, and goes on where it was', async () => {
    const { prefix, accounts, done, start, revisions } = setting();
    const ids = Array.from({ length: 6 }, () => randomUUID());
    const running = new Set<string>();
    let most = 0;
    const overlapping: string[] = [];
    const dispatch = async (command: object) => {
      const { account } = command as Reward;
      if (running.has(account)) overlapping.push(account);
      running.add(account);
      most = Math.max(most, running.size);
      await until(() => most >= 4);
      await delay(Math.random() * 4);
      running.delete(account);
      done.push(command as Reward);
    };
    await Promise.all(ids.map((id) => accounts.deposit(id, 1, 2, 3, 4, 5)));
    const first = start({ dispatch, concurrency: 4 });
    await until(() => done.length >= 30);
    await until(() => first.status()[0]!.position === accounts.position);
    await first.stop();
    expect(overlapping).toEqual([]);
    expect(most).toBe(4);
    for (const id of ids) expect(revisions(id)).toEqual([0n, 1n, 2n, 3n, 4n]);
    expect((await readPolicyPosition(store, prefix, 'rewardDeposits'))?.position).toBe(accounts.position);

    done.length = 0;
    const second = start({ dispatch });
    await accounts.append(ids[0]!, accountEvent('Noise'), accountEvent('Deposited'));
    await until(() => second.status()[0]!.position === accounts.position);
    expect(done.map(({ account, revision }) => [account, revision])).toEqual([[ids[0], 6n]]);
    await second.stop();
  });

  it('repeats what fails for a reason that passes, in its place, while other streams go on', async () => {
    const { prefix, accounts, done, start, revisions } = setting();
    const [a, b] = [randomUUID(), randomUUID()];
    let failing = true;
    const runner = start({
      dispatch: async (command) => {
        if (failing && (command as Reward).account === a) throw new Error('the store is away');
        done.push(command as Reward);
      },
    });
    await accounts.deposit(a, 1, 2);
    const mark = await accounts.deposit(b, 3, 4);
    await until(() => revisions(b).length === 2 && runner.status()[0]!.retrying === 1);
    expect(revisions(a)).toEqual([]);
    expect(runner.status()[0]!.position).toBeUndefined();
    expect(await readPolicyPosition(store, prefix, 'rewardDeposits')).toBeUndefined();
    failing = false;
    await until(() => runner.status()[0]!.position === mark);
    expect(revisions(a)).toEqual([0n, 1n]);
    await runner.stop();
  });

  it('parks what is refused; its stream waits, also after a restart, until it is retried or skipped', async () => {
    const { prefix, accounts, done, start, revisions } = setting();
    const [a, b] = [randomUUID(), randomUUID()];
    const refused = new Set([1n, 3n]);
    const dispatch = async (command: object) => {
      const reward = command as Reward;
      if (reward.account === a && refused.has(reward.revision)) throw new Refused(`not revision ${reward.revision}`);
      done.push(reward);
    };
    const first = start({ dispatch });
    await accounts.deposit(a, 1, 2, 3);
    await accounts.deposit(b, 1);
    await until(() => first.status()[0]!.position === accounts.position);
    expect([revisions(a), revisions(b)]).toEqual([[0n], [0n]]);
    expect(first.status()[0]).toMatchObject({ parkedStreams: 1 });
    await first.stop();

    const parked = await readParkedReactions(store, prefix, 'rewardDeposits');
    const stream = accounts.streamOf(a);
    expect([...parked.waiting.values()]).toEqual([
      expect.objectContaining({ stream, revision: 1n, command: 'Reward', error: 'Error: not revision 1' }),
    ]);
    const asked = { policy: 'rewardDeposits', stream };
    expect(await requestRetry(store, prefix, { ...asked, skip: false, timeoutMs: 200 })).toBe('unanswered');
    const second = start({ dispatch });
    // The request that nobody answered is answered now, and refused again.
    await until(async () => (await readParkedReactions(store, prefix, 'rewardDeposits')).revision === 2n);
    await accounts.deposit(a, 4, 5);
    await until(() => second.status()[0]!.position === accounts.position);
    expect(revisions(a)).toEqual([0n]);
    refused.delete(1n);
    expect(await requestRetry(store, prefix, { ...asked, skip: false })).toBe('parked-again');
    expect(revisions(a)).toEqual([0n, 1n, 2n]);
    expect(await requestRetry(store, prefix, { ...asked, skip: true })).toBe('released');
    await accounts.deposit(a, 6);
    await until(() => revisions(a).includes(5n));
    expect(revisions(a)).toEqual([0n, 1n, 2n, 4n, 5n]);
    await expect(requestRetry(store, prefix, { ...asked, skip: true })).rejects.toThrow('nothing of');
    expect(second.status()[0]).toMatchObject({ parkedStreams: 0 });
    await accounts.append(b, accountEvent('Poisoned'));
    await until(() => second.status()[0]!.parkedStreams === 1);
    await second.stop();
  });

  it.each([
    { first: 3n, then: 1n },
    { first: 1n, then: 3n },
  ])(
    'carries out at once what a policy takes in any order, and waits for the first of what is refused: $first, $then',
    async ({ first }) => {
      const { prefix, accounts, done, start, revisions } = setting();
      const account = randomUUID();
      const policies = [{ ...rewardDeposits, inAnyOrder: ['Deposited'] }];
      const refused = new Set([1n, 3n]);
      const under = new Set<bigint>();
      let most = 0;
      let refuse = () => {};
      const firstRefused = new Promise<void>((resolve) => (refuse = resolve));
      const dispatch = async (command: object) => {
        const reward = command as Reward;
        under.add(reward.revision);
        most = Math.max(most, under.size);
        await until(() => most >= 5);
        under.delete(reward.revision);
        if (refused.has(reward.revision)) {
          if (reward.revision === first) refuse();
          else await firstRefused;
          throw new Refused(`not revision ${reward.revision}`);
        }
        done.push(reward);
      };
      await accounts.deposit(account, 1, 2, 3, 4, 5);
      const runner = start({ policies, dispatch });
      await until(() => runner.status()[0]!.position === accounts.position);
      expect(most).toBe(5);
      expect(revisions(account).sort()).toEqual([0n, 2n, 4n]);
      const parked = () => readParkedReactions(store, prefix, 'rewardDeposits');
      const waiting = async () => [...(await parked()).waiting.values()].map(({ revision }) => revision);
      expect(await waiting()).toEqual([1n]);
      // What comes after one that is parked is not parked as well.
      expect((await parked()).revision).toBe(first === 1n ? 0n : 1n);

      await accounts.deposit(account, 6);
      await until(() => runner.status()[0]!.position === accounts.position);
      expect(revisions(account)).not.toContain(5n);
      const asked = { policy: 'rewardDeposits', stream: accounts.streamOf(account) };
      refused.delete(1n);
      expect(await requestRetry(store, prefix, { ...asked, skip: false })).toBe('parked-again');
      expect(await waiting()).toEqual([3n]);
      refused.delete(3n);
      expect(await requestRetry(store, prefix, { ...asked, skip: false })).toBe('released');
      await accounts.deposit(account, 7);
      await until(() => revisions(account).includes(6n));
      expect([...new Set(revisions(account))].sort()).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n]);
      expect(runner.status()[0]).toMatchObject({ parkedStreams: 0 });
      await runner.stop();
    },
  );

  it('does what stands before a parked event of a stream in any order, when it had not come to that', async () => {
    const { prefix, accounts, start, revisions } = setting();
    const account = randomUUID();
    await accounts.deposit(account, 1, 2, 3, 4);
    const of = { stream: accounts.streamOf(account), eventId: randomUUID(), type: 'Deposited', error: 'refused' };
    // Parked by two processes.
    const facts = ['2', '3'].map((revision) => ({
      id: randomUUID(),
      type: 'Parked',
      data: { ...of, revision, inAnyOrder: true },
      metadata: {},
    }));
    await store.append(streamNames(prefix).parked('rewardDeposits'), facts, 'any');
    const runner = start({ policies: [{ ...rewardDeposits, inAnyOrder: ['Deposited'] }] });
    await until(() => runner.status()[0]!.position === accounts.position);
    expect(revisions(account)).toEqual([0n, 1n]);
    await runner.stop();
  });

  it('does at least once what it had not noted as done, and begins anew in another store', async () => {
    const { prefix, accounts, start, revisions } = setting();
    const account = randomUUID();
    await accounts.deposit(account, 1, 2);
    const names = streamNames(prefix);
    const elsewhere = {
      id: randomUUID(),
      type: 'PositionReached',
      data: { position: '999999999999', eventId: randomUUID() },
    };
    await store.append(names.position('rewardDeposits'), [elsewhere], 'any');
    const first = start({ saveEveryMs: 60_000 });
    const second = start({ standsBy: () => true });
    await until(() => revisions(account).length === 2);
    expect(second.status()[0]!.state).toBe('standby');
    await Promise.all([first.stop(), second.stop()]);
    const catalogs = { account: { Opened: [] } };
    await accounts.deposit(account, 3);
    const older = start({ catalogs });
    await until(() => older.status()[0]!.state === 'stopped');
    expect(revisions(account)).toEqual([0n, 1n]);
    await older.stop();
  });

  it('does not let a position that arrives late stand in place of a newer one', async () => {
    const { prefix, accounts, start } = setting();
    const stream = streamNames(prefix).position('rewardDeposits');
    const account = randomUUID();
    let late: { readonly position: unknown; arrive(): Promise<unknown> } | undefined;
    const append: EventStore['append'] = async (to, events, ...rest) => {
      const { position } = events[0]!.data as { position?: unknown };
      if (to !== stream || (late && late.position !== position)) return store.append(to, events, ...rest);
      late ??= { position, arrive: () => store.append(to, events, ...rest) };
      throw new OutcomeUnknown(to, 'the answer is lost');
    };
    const losing = new Proxy(store, {
      get: (target, name) => {
        if (name === 'append') return append;
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
    const runner = start({ store: losing });
    await accounts.deposit(account, 1);
    await until(() => late !== undefined);
    await accounts.deposit(account, 2);
    const stored = async () => (await readPolicyPosition(store, prefix, 'rewardDeposits'))?.position;
    await until(async () => (await stored()) === runner.status()[0]!.position && (await stored()) !== undefined);
    const before = await stored();
    await late!.arrive().catch(() => undefined);
    expect(await stored()).toBe(before);
    await runner.stop();
  });
});
