import { HttpClient } from '../support/http-client';
import { Deployment } from './deployment';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { auditDifferences } from './oracles';

/** What one writer did, in ms of this process's clock. */
interface Write {
  readonly key: string;
  readonly invoked: number;
  readonly answered: number;
  readonly status: number;
  readonly revision: number;
  /** If-Match. */
  readonly expected: number | undefined;
}

/** A read of the whole stream: the keys of its events in order. */
interface Read {
  readonly invoked: number;
  readonly answered: number;
  readonly keys: readonly string[];
}

/** Holds a history against the one log that there is: the model of a single thread that does one thing after another. */
export function checkHistory(writes: readonly Write[], reads: readonly Read[], log: readonly string[]): string[] {
  const violations: string[] = [];
  const acknowledged = writes.filter(({ status }) => status === 200 || status === 201);
  const placed = new Map<number, string>();
  for (const { key, revision, expected } of acknowledged) {
    if (placed.has(revision))
      violations.push(`revision ${revision} was given to ${placed.get(revision)} and to ${key}`);
    placed.set(revision, key);
    if (log[revision] !== key) violations.push(`${key} was acknowledged at ${revision}, where ${log[revision]} stands`);
    if (expected !== undefined && log.indexOf(key) !== expected + 1)
      violations.push(`${key} was decided on ${expected} and stands at ${log.indexOf(key)}`);
  }
  for (const { key, status, expected } of writes) {
    if (status < 400) continue;
    if (log.includes(key)) violations.push(`${key} was refused with ${status} and stands in the stream`);
    if (status === 412 && expected === undefined) violations.push(`${key} was answered 412 and named no revision`);
    if (status !== 412) violations.push(`${key} was answered ${status}`);
  }
  const known = new Set(writes.map(({ key }) => key));
  const strangers = log.slice(1).filter((key) => key.startsWith('w-') && !known.has(key));
  if (strangers.length > 0) violations.push(`nobody wrote ${strangers.join(', ')}`);
  for (const first of acknowledged)
    for (const second of acknowledged)
      if (first.answered < second.invoked && first.revision >= second.revision)
        violations.push(`${first.key} was answered before ${second.key} was sent, and stands behind it`);
  for (const { invoked, keys } of reads) {
    if (keys.some((key, index) => log[index] !== key)) violations.push('a read is not a beginning of the stream');
    for (const { key, answered, revision } of acknowledged)
      if (answered < invoked && keys.length <= revision) violations.push(`a read after the answer of ${key} lacks it`);
  }
  return violations;
}

const conflictingWriters: Fault = {
  name: 'conflicting-writers',
  about:
    'many writers and readers of one stream through two API processes, half of them naming revisions: what was answered is what one thread after another would have answered',
  async round({ directory, random }: FaultRound): Promise<FaultOutcome> {
    const deployment = await Deployment.start({
      directory,
      programs: { apis: 2, workers: 1 },
      env: { COMMAND_TIMEOUT_MS: '20000' },
    });
    const clients = deployment.apis.map(({ url }) => new HttpClient(url, deployment.token));
    const writes: Write[] = [];
    const reads: Read[] = [];
    try {
      const items = [{ description: 'Base', timing: 'advance', price: { model: 'flat', unitPrice: '100' } }];
      const terms = {
        customerId: 'customer-1',
        currency: 'USD',
        timeZone: 'UTC',
        interval: { unit: 'year', count: 1 },
        items,
      };
      const { body: started } = await deployment.client().post('/v1/subscriptions', terms, 'start');
      const id = String(started.id);
      const stream = `/v1/audit/streams/perennial.subscription-${id}/events`;
      const log = async (client: HttpClient): Promise<string[]> => {
        const keys: string[] = [];
        for (let from: string | null = '0'; from !== null;) {
          const { status, body } = await client.get(`${stream}?limit=1000&fromRevision=${from}`);
          if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
          keys.push(
            ...body.events.map((event: { stored: { metadata: { key: string } } }) => event.stored.metadata.key),
          );
          from = body.nextRevision as string | null;
        }
        return keys;
      };
      let newest = Number(started.revision);
      const write = async (writer: number, n: number) => {
        const client = clients[random.between(0, clients.length - 1)] ?? deployment.client();
        const key = `w-${writer}-${n}`;
        const expected = random.chance(0.5) ? newest : undefined;
        const invoked = performance.now();
        const lineItem = { lineItemId: key, description: 'Work', unitPrice: '1' };
        const options = expected === undefined ? {} : { revision: String(expected) };
        const { status, body } = await client.post(`/v1/subscriptions/${id}/line-items`, lineItem, key, options);
        const revision = Number(body.revision);
        writes.push({ key, invoked, answered: performance.now(), status, revision, expected });
        if (status < 400) newest = Math.max(newest, revision);
      };
      const read = async () => {
        const invoked = performance.now();
        const keys = await log(random.pick(clients));
        reads.push({ invoked, answered: performance.now(), keys });
      };
      await Promise.all(
        Array.from({ length: 24 }, async (_, writer) => {
          for (let n = 0; n < 12; n += 1) await (random.chance(0.15) ? read() : write(writer, n));
        }),
      );
      const violations = checkHistory(writes, reads, await log(deployment.client()));
      violations.push(...(await auditDifferences(deployment.direct)));
      const acknowledged = writes.filter(({ status }) => status < 400);
      return {
        violations,
        counts: {
          writes: writes.length,
          acknowledged: acknowledged.length,
          'lost to another (412)': writes.filter(({ status }) => status === 412).length,
          reads: reads.length,
        },
      };
    } finally {
      for (const client of clients) client.close();
      await deployment.close();
    }
  },
};

export const writers: readonly Fault[] = [conflictingWriters];
