import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient, type Answer } from '../support/http-client';
import { tcpProxy } from '../support/tcp-proxy';
import type { Journaled } from './command-journal';
import { Deployment } from './deployment';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { auditDifferences, compareWithStore } from './oracles';

/** What an answer says of what was done; the rest of it may differ. */
const said = ({ body }: Answer) => JSON.stringify({ id: body.id, revision: body.revision, events: body.events });

const lostAnswers: Fault = {
  name: 'lost-answers',
  about:
    'answers of the store and of the API are lost while 50 copies of one command are sent at once and again until answered: one append, one answer; another body under the key is refused',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const deployment = await Deployment.start({ directory, programs: { apis: 2, workers: 1 } });
    const networks = await Promise.all(
      deployment.apis.map(({ url }) => tcpProxy({ host: '127.0.0.1', port: Number(new URL(url).port) })),
    );
    const clients = networks.map(({ port }) => new HttpClient(`http://127.0.0.1:${port}`, deployment.token));
    const bad = { http: 0, store: 0 };
    const commands: Journaled[] = [];
    let lost = 0;
    try {
      const start = {
        customerId: 'customer-1',
        currency: 'USD',
        timeZone: 'UTC',
        interval: { unit: 'month', count: 1 },
        items: [{ description: 'Base', timing: 'advance', price: { model: 'flat', unitPrice: '100' } }],
      };
      const started = await deployment.client().post('/v1/subscriptions', start, 'start');
      const path = `/v1/subscriptions/${started.body.id}/line-items`;
      deployment.store.network.watch = () =>
        random.chance(bad.store) ? random.pick(['reset-after', 'unanswered']) : 'pass';
      for (const network of networks) network.watch = () => (random.chance(bad.http) ? 'reset-after' : 'pass');
      /** One copy of a command, sent again until there is an answer that says what became of it. */
      const sent = async (copy: number, key: string, body: object): Promise<Answer> => {
        const end = performance.now() + 40_000;
        for (;;) {
          try {
            const client = clients[copy % clients.length] ?? deployment.client();
            const answer = await client.post(path, body, key, { timeoutMs: 8_000 });
            if (answer.status !== 503 && answer.status !== 409) return answer;
            lost += 1;
            if (performance.now() > end) return answer;
          } catch (error) {
            lost += 1;
            if (performance.now() > end) throw error;
          }
          await delay(50);
        }
      };
      for (let n = 0; n < 6; n += 1) {
        const key = `copies-${n}`;
        const body = { lineItemId: `item-${n}`, description: 'Work', unitPrice: String(random.between(1, 999)) };
        Object.assign(bad, { http: random.pick([0, 0.3, 0.6]), store: random.pick([0, 0.02, 0.05]) });
        const mending = setTimeout(() => Object.assign(bad, { http: 0, store: 0 }), 2_500);
        const answers = await Promise.all(Array.from({ length: 50 }, (_, copy) => sent(copy, key, body)));
        clearTimeout(mending);
        Object.assign(bad, { http: 0, store: 0 });
        const different = new Set(answers.map(said));
        const strange = answers.filter(({ status }) => status !== 201 && status !== 200);
        if (strange.length > 0)
          violations.push(
            `${key}: ${strange.length} copies were answered ${strange[0]?.status} ${JSON.stringify(strange[0]?.body)}`,
          );
        else if (different.size !== 1)
          violations.push(`${key}: ${different.size} answers: ${[...different].join(' | ')}`);
        const other = await sent(0, key, { ...body, description: 'Other work' });
        if (other.status !== 422)
          violations.push(`${key} with another body: ${other.status} ${JSON.stringify(other.body)}`);
        const first = answers[0];
        if (first)
          commands.push({
            key,
            path,
            body,
            state: 'acknowledged',
            answer: {
              id: String(started.body.id),
              revision: String(first.body.revision),
              position: String(first.body.position),
              events: Number(first.body.events?.length),
            },
          });
        say(`${key}: 50 copies, ${lost} attempts without an answer so far`);
      }
      const { direct } = deployment;
      const stored = await compareWithStore({ eventstoreUrl: direct['EVENTSTORE_URL'] ?? '', commands });
      violations.push(...stored.violations, ...(await auditDifferences(direct)));
      return {
        violations,
        counts: {
          commands: commands.length,
          copies: commands.length * 50,
          'without an answer': lost,
          events: stored.events,
        },
      };
    } finally {
      for (const client of clients) client.close();
      await deployment.close();
      for (const network of networks) await network.close();
    }
  },
};

export const lost: readonly Fault[] = [lostAnswers];
