import { addLineItem, rollOverKey } from '@perennial/billing-domain';
import { RevisionMismatch } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../../../test/support/billing-process';
import { testEventStore, type TestEventStore } from '../../../test/support/eventstore';
import { AddLineItem } from './commands/add-line-item';
import { StartSubscription } from './commands/start-subscription';
import { rollOverElapsedPeriods } from './policies/roll-over-elapsed-periods';
import type { BillingRepositories } from './repositories';
import { changeWithElapsedPeriodsRolledOver } from './with-elapsed-periods-rolled-over';

const START = '2026-01-10T00:00:00.000Z';
const AFTER_BOUNDARY = '2026-02-10T00:00:01.000Z';

describe('a roll-over that others overtake between the refusal and its own append', () => {
  let at: TestEventStore;
  let process: BillingProcess;
  let slow: BillingProcess;
  let id: string;

  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: START });
    slow = await billingProcess(at, { time: START });
  });

  afterAll(async () => {
    await process.close();
    await slow.close();
    await at.close();
  });

  beforeEach(async () => {
    const terms = {
      customerId: 'customer',
      currency: 'USD',
      timeZone: 'UTC',
      interval: { unit: 'month', count: 1 },
      item: { description: 'Base', timing: 'advance', unitPrice: '3100' },
    } as const;
    process.clock.time = START;
    ({ aggregateId: id } = await process.execute(new StartSubscription(terms, request())));
    process.clock.time = AFTER_BOUNDARY;
  });

  /** Adds a line item, at the revision of the start or at any, after `between` has happened where it can do most harm. */
  const add = (between: () => Promise<unknown>, expectedRevision?: bigint) => {
    const { subscriptions, timeBudgetMs } = process.repositories;
    let happened = false;
    const change: typeof subscriptions.change = async (...command) => {
      if (command[1].key === rollOverKey(id, 1) && !happened) {
        happened = true;
        await between();
      }
      return subscriptions.change(...command);
    };
    return changeWithElapsedPeriodsRolledOver(
      { subscriptions: { change } as typeof subscriptions, timeBudgetMs } as BillingRepositories,
      id,
      { ...request(), now: AFTER_BOUNDARY, expectedRevision },
      (state) => addLineItem(state, { lineItemId: 'ours', description: 'Ours', unitPrice: '1' }, AFTER_BOUNDARY),
    );
  };

  /** By a process whose clock is behind, so that it still writes into the period that has elapsed. */
  const another = () =>
    slow.execute(new AddLineItem(id, { lineItemId: 'theirs', description: 'Theirs', unitPrice: '2' }, request()));

  const scheduler = () =>
    Promise.all(
      rollOverElapsedPeriods([{ tenant: 'default', subscriptionId: id, periodNumber: 1 }]).map((command) =>
        process.execute(command),
      ),
    );

  it('carries on from the roll-over of a scheduler, also for a caller who named a revision', async () => {
    expect(await add(scheduler, 2n)).toMatchObject({ revision: 6n, repeated: false });
  });

  it('carries on after another command for a caller who named no revision', async () => {
    expect(await add(another)).toMatchObject({ revision: 7n });
  });

  it('tells a caller who named a revision of another command', async () => {
    await expect(add(another, 2n)).rejects.toThrow(RevisionMismatch);
    await expect(add(async () => undefined, 3n)).resolves.toMatchObject({ revision: 7n });
  });

  it('tells a caller who named a revision of another command that a scheduler came after', async () => {
    await expect(add(() => another().then(scheduler), 2n)).rejects.toThrow(RevisionMismatch);
  });
});
