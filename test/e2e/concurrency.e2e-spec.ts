import { lineItem, monthly } from '../support/app';
import { ApiProcesses } from '../support/api-processes';

const writers = 64;
const lines = 1_000;
const rollOvers = 10;

describe('many callers of one subscription', () => {
  let apis: ApiProcesses;
  let clock = Date.UTC(2026, 0, 1);
  beforeAll(async () => {
    apis = await ApiProcesses.start(2);
  });
  afterAll(() => apis.close());

  /** Sets the clock on by whole months; it only ever goes forward. */
  async function months(count: number): Promise<void> {
    const date = new Date(clock);
    clock = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count, 1, 12);
    await apis.setClock(new Date(clock).toISOString());
  }

  async function start(key: string): Promise<string> {
    await months(0);
    const { status, body } = await apis.client(0).post('/v1/subscriptions', monthly({ timeZone: 'UTC' }), key);
    expect(status).toBe(201);
    return body.id;
  }

  it.each([1, 2])(
    `${writers} writers add ${lines} lines in ${rollOvers} roll-overs, through %i API processes`,
    async (processes) => {
      const id = await start(`lines-${processes}`);
      let next = 0;
      let done = 0;
      const failed: string[] = [];
      const writer = async (client: number) => {
        while (next < lines) {
          const n = (next += 1);
          const { status, body } = await apis
            .client(client % processes)
            .post(`/v1/subscriptions/${id}/line-items`, lineItem(`n${n}`, { unitPrice: String(n) }), `${id}-${n}`);
          if (status !== 201) failed.push(`${status} ${JSON.stringify(body)}`);
          done += 1;
          if (done % Math.floor(lines / (rollOvers + 1)) === 0 && done < lines) await months(1);
        }
      };
      await Promise.all(Array.from({ length: writers }, (_, client) => writer(client)));
      expect(failed).toEqual([]);
      await months(1);
      const last = await apis.client(0).post(`/v1/subscriptions/${id}/pause`, {}, `${id}-pause`);
      expect(last.status).toBe(200);

      const events = await apis.events(id);
      const added = new Map<string, number>();
      const billed = new Map<string, number>();
      let open: { periodNumber: number; endsAt: string } | undefined;
      let coveredTo: string | undefined;
      for (const { type, data } of events) {
        if (type === 'BillingPeriodOpened') {
          expect(open).toBeUndefined();
          expect(data.startsAt).toBe(coveredTo ?? data.startsAt);
          open = data;
        } else if (type === 'BillingPeriodClosed') {
          expect(data.periodNumber).toBe(open?.periodNumber);
          coveredTo = data.endsAt;
          open = undefined;
        } else if (type === 'LineItemAdded') {
          expect(data.periodNumber).toBe(open?.periodNumber);
          added.set(data.lineItemId, (added.get(data.lineItemId) ?? 0) + 1);
        } else if (type === 'LinesBilled') {
          for (const { lineItemId } of data.lines)
            if (lineItemId !== undefined) billed.set(lineItemId, (billed.get(lineItemId) ?? 0) + 1);
        }
      }
      const once = new Map(Array.from({ length: lines }, (_, n) => [`n${n + 1}`, 1]));
      expect(new Map([...added].sort())).toEqual(new Map([...once].sort()));
      expect(new Map([...billed].sort())).toEqual(new Map([...once].sort()));
      const boundaries = events.filter(({ type, data }) => type === 'BillingPeriodClosed' && data.cause === 'boundary');
      expect(boundaries.length).toBeGreaterThanOrEqual(rollOvers);
    },
  );

  it('of those who name a revision exactly one wins it', async () => {
    const id = await start('if-match');
    let revision = (await apis.events(id)).at(-1).revision as string;
    for (let round = 0; round < 8; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: writers }, (_, n) =>
          apis.client(n).post(`/v1/subscriptions/${id}/line-items`, lineItem(`r${round}-${n}`), `${id}-${round}-${n}`, {
            revision,
          }),
        ),
      );
      const won = answers.filter(({ status }) => status === 201);
      expect(won).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(writers - 1);
      expect(BigInt(won[0]?.body.revision)).toBe(BigInt(revision) + 1n);
      revision = won[0]?.body.revision;
    }
  });
});

describe('two processes in turn on one subscription', () => {
  let apis: ApiProcesses;
  beforeAll(async () => {
    apis = await ApiProcesses.start(2);
    await apis.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => apis.close());

  let keys = 0;
  /** A command through process 0 or 1; both have the subscription in their cache by then. */
  const through = (process: number, id: string, command: string, body: unknown, more: { revision?: string } = {}) =>
    apis.client(process).post(`/v1/subscriptions/${id}/${command}`, body, `key-${(keys += 1)}`, more);
  async function known(): Promise<string> {
    const { body } = await apis.client(0).post('/v1/subscriptions', monthly(), `key-${(keys += 1)}`);
    for (const process of [0, 1])
      expect((await through(process, body.id, 'line-items', lineItem(`by-${process}`))).status).toBe(201);
    return body.id;
  }

  it('never refuses from what it remembers', async () => {
    const id = await known();
    expect((await through(0, id, 'pause', {})).status).toBe(200);
    expect((await through(0, id, 'line-items', lineItem('refused'))).body.code).toBe('no-open-period');
    expect((await through(1, id, 'resume', {})).status).toBe(200);
    expect((await through(0, id, 'line-items', lineItem('allowed'))).status).toBe(201);
  });

  it('never says that it is so already from what it remembers', async () => {
    const id = await known();
    expect((await through(0, id, 'pause', {})).body.events).not.toEqual([]);
    expect((await through(0, id, 'pause', {})).body.events).toEqual([]);
    expect((await through(1, id, 'resume', {})).status).toBe(200);
    expect((await through(0, id, 'pause', {})).body.events).not.toEqual([]);
  });

  it('never answers 412 from what it remembers', async () => {
    const id = await known();
    const { body } = await through(1, id, 'line-items', lineItem('news'));
    const answer = await through(0, id, 'line-items', lineItem('after'), { revision: body.revision });
    expect(answer.status).toBe(201);
    const stale = await through(1, id, 'line-items', lineItem('stale'), { revision: body.revision });
    expect([stale.status, stale.body.code]).toEqual([412, 'revision-mismatch']);
  });

  it('never shows a dry run of what it remembers', async () => {
    const id = await known();
    expect((await through(1, id, 'line-items', lineItem('news', { unitPrice: '77' }))).status).toBe(201);
    const before = await apis.events(id);
    const { status, body } = await through(0, id, 'pause?dryRun=true', {});
    expect([status, body.dryRun]).toEqual([200, true]);
    const bill = body.events.find(({ type }: { type: string }) => type === 'LinesBilled');
    expect(bill.data.lines.map((line: { lineItemId?: string }) => line.lineItemId)).toContain('news');
    expect(await apis.events(id)).toEqual(before);
  });
});
