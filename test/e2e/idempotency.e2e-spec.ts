import { lineItem, monthly } from '../support/app';
import { ApiProcesses } from '../support/api-processes';
import type { Answer } from '../support/http-client';

const copies = 50;

describe('one Idempotency-Key many times', () => {
  let apis: ApiProcesses;
  beforeAll(async () => {
    apis = await ApiProcesses.start(2);
    await apis.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => apis.close());

  /** All answers are one and the same success. */
  function one(answers: readonly Answer[], status: number): Answer['body'] {
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([status]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body)))).toHaveProperty('size', 1);
    return answers[0]?.body;
  }

  const atOnce = (path: string, body: unknown, key: string) =>
    Promise.all(Array.from({ length: copies }, (_, n) => apis.client(n).post(path, body, key)));

  const typesOf = (events: readonly { type: string }[]) => events.map(({ type }) => type);

  it(`a start, a line item and a roll-over sent ${copies} times at once through two processes happen once, also after a restart`, async () => {
    const started = one(await atOnce('/v1/subscriptions', monthly(), 'start'), 201);
    const path = `/v1/subscriptions/${started.id}`;
    expect(typesOf(await apis.events(started.id))).toEqual([
      'SubscriptionStarted',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);

    const added = one(await atOnce(`${path}/line-items`, lineItem('one'), 'line'), 201);
    expect(typesOf(added.events)).toEqual(['LineItemAdded']);

    await apis.setClock('2026-02-10T00:00:00.000Z');
    const rolled = one(await atOnce(`${path}/roll-over`, { periodNumber: 1 }, 'roll'), 200);
    expect(typesOf(rolled.events)).toEqual(['BillingPeriodClosed', 'BillingPeriodOpened', 'LinesBilled']);
    const events = await apis.events(started.id);
    expect(events).toHaveLength(7);

    await apis.restart(0);
    await apis.restart(1);
    await apis.setClock('2026-08-10T00:00:00.000Z');
    expect(one(await atOnce('/v1/subscriptions', monthly(), 'start'), 201)).toEqual(started);
    expect(one(await atOnce(`${path}/line-items`, lineItem('one'), 'line'), 201)).toEqual(added);
    expect(one(await atOnce(`${path}/roll-over`, { periodNumber: 1 }, 'roll'), 200)).toEqual(rolled);
    expect(await apis.events(started.id)).toEqual(events);
  });

  it('another body under the key is 422 from either process, and a line item under another key is noted, not added', async () => {
    const started = one(await atOnce('/v1/subscriptions', monthly(), 'start-2'), 201);
    const path = `/v1/subscriptions/${started.id}/line-items`;
    one(await atOnce(path, lineItem('one'), 'line'), 201);
    for (const client of apis.clients) {
      const other = await client.post(path, lineItem('two'), 'line');
      expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
    }
    const again = await Promise.all(
      Array.from({ length: copies }, (_, n) => apis.client(n).post(path, lineItem('one'), `line-${n}`)),
    );
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set([201]));
    const added = (await apis.events(started.id)).filter(({ type }) => type === 'LineItemAdded');
    expect(added).toHaveLength(1);
  });
});
