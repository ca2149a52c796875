import fc from 'fast-check';
import {
  AddLineItems,
  ApplyCoupon,
  BillUsage,
  CancelSubscription,
  ChangeItems,
  CreateCoupon,
  PauseSubscription,
  RecordUsage,
  ReleaseBill,
  ResumeSubscription,
  RollOverBillingPeriod,
  StartSubscription,
  type RequestContext,
} from '@perennial/billing-application';
import {
  DomainError,
  MAX_BILL_BYTES,
  MAX_COUPONS,
  MAX_ITEMS,
  MAX_KEPT_BYTES,
  MAX_LINES_PER_PERIOD,
  type LinesBilled,
  type NewItem,
  type NewItemEdit,
  type NewLineItem,
} from '@perennial/billing-domain';
import type { Command } from '@nestjs/cqrs';
import { randomUUID } from 'node:crypto';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';

/** The longest text of so many characters, three bytes each. */
const long = (name: string, characters: number) => name.padEnd(characters, '漢');
const bytesOf = (value: unknown) =>
  value instanceof Uint8Array ? value.length : Buffer.byteLength(JSON.stringify(value ?? {}));

/** Mixes that are played, with the three that always are. */
const RUNS = Number(process.env['PERIOD_RUNS'] ?? 6);
const LONG_MS = 60_000 + RUNS * 5_000;

/** Servers up to 24.10 refuse an append over 1 MiB; ours stay below this. */
const MAX_APPEND_BYTES = 900_000;

const DIGITS = '.123456789123';
/** As many tiers as there may be, each with a price of as many digits as fit and a fee. */
const tiers = Array.from({ length: 20 }, (_, n) => ({
  upTo: n === 19 ? null : `${(n + 1) * 1_000}${DIGITS}`,
  unitPrice: `1${n + 10}${DIGITS}`,
  flatFee: `10${n}${DIGITS}`,
}));
/** A quantity that enters every tier. */
const BIG = `21000${DIGITS}`;

interface Kind {
  readonly price: 'flat' | 'graduated' | 'usage';
  readonly timing: 'advance' | 'arrears';
  readonly texts: 'long' | 'short';
  readonly bounds: boolean;
  readonly every: number;
}
const kind: fc.Arbitrary<Kind> = fc.record({
  price: fc.constantFrom('flat', 'graduated', 'usage'),
  timing: fc.constantFrom('advance', 'arrears'),
  texts: fc.constantFrom('long', 'short'),
  bounds: fc.boolean(),
  every: fc.constantFrom(1, 1, 3),
});

function itemOf({ price: model, timing, texts, bounds, every }: Kind, n: number): NewItem {
  const text = (name: string, most: number) => (texts === 'long' ? long(name, most) : name);
  const bound = bounds && { minimum: `500000${DIGITS}`, maximum: `900000${DIGITS}` };
  const common = {
    componentKey: text(`key-${n}`, 100),
    itemId: text(`item-${n}`, 100),
    description: text(`Item ${n}`, 500),
    taxCode: text('tax', 50),
  };
  if (model === 'usage') {
    const meter = {
      key: `meter-${n}`.padEnd(texts === 'long' ? 100 : 1, 'm'),
      event: 'used',
      aggregation: 'sum',
    } as const;
    return { ...common, kind: 'usage', timing: 'arrears', meter, price: { model: 'graduated', tiers, ...bound } };
  }
  const price =
    model === 'flat'
      ? ({ model: 'flat', unitPrice: `99999${DIGITS}`, ...bound } as const)
      : ({ model: 'graduated', tiers, ...bound } as const);
  return { ...common, timing, every, quantity: BIG, price };
}

const mix = fc.record({
  items: fc.array(kind, { minLength: 1, maxLength: MAX_ITEMS }),
  coupons: fc.integer({ min: 0, max: MAX_COUPONS }),
  /** When the coupons come: with the start, or once the period is full. */
  couponsAt: fc.constantFrom('start' as const, 'full' as const),
  couponText: fc.constantFrom(5, 200),
  periods: fc.constantFrom(undefined, 1),
  commitment: fc.boolean(),
  grace: fc.constantFrom(0, 48),
  changes: fc.integer({ min: 0, max: 5 }),
  billing: fc.constantFrom('now' as const, 'next-bill' as const),
  lines: fc.constantFrom('long' as const, 'described' as const, 'short' as const),
  /** Of a line item: within the period, or for years, so that it is kept. */
  service: fc.constantFrom('day' as const, 'years' as const),
  end: fc.constantFrom('close' as const, 'pause' as const, 'cancel' as const),
  credit: fc.constantFrom('prorated' as const, 'none' as const),
});
type Mix = typeof mix extends fc.Arbitrary<infer T> ? T : never;

const many = (count: number, of: Kind): Kind[] => Array.from({ length: count }, () => of);
const flat: Kind = { price: 'flat', timing: 'advance', texts: 'short', bounds: false, every: 1 };
const plain: Mix = {
  items: [flat],
  coupons: 0,
  couponsAt: 'start',
  couponText: 5,
  periods: undefined,
  commitment: false,
  grace: 0,
  changes: 0,
  billing: 'next-bill',
  lines: 'short',
  service: 'day',
  end: 'close',
  credit: 'prorated',
};
const longest: Kind = { ...flat, price: 'graduated', texts: 'long', bounds: true };

describe('the largest legal period', () => {
  let at: TestEventStore;
  let process: BillingProcess;
  let appends: { stream: string; bytes: number }[] = [];

  beforeAll(async () => {
    at = await testEventStore();
    // A snapshot after every event: none is too large to be written.
    process = await billingProcess(at, { time: '2026-01-01T00:00:00.000Z', snapshotEvery: 1 });
    const { store } = process;
    const append = store.append.bind(store);
    store.append = (stream, events, ...rest) => {
      const bytes = events.reduce((sum, { data, metadata }) => sum + bytesOf(data) + bytesOf(metadata), 0);
      appends.push({ stream, bytes });
      return append(stream, events, ...rest);
    };
  });

  afterAll(async () => {
    await process.close();
    await at.close();
  });

  /** What a command answers, or that the period has no room for it; anything else is a fault. */
  const unlessFull = async <Result>(command: Command<Result>): Promise<Result | 'full'> => {
    try {
      return await process.execute(command);
    } catch (error) {
      if (error instanceof DomainError && error.code === 'billing-period-full') return 'full';
      throw error;
    }
  };

  const couponsOf = async ({ coupons, couponText, periods }: Mix): Promise<string[]> => {
    const codes = Array.from({ length: coupons }, () => randomUUID());
    for (const [n, code] of codes.entries()) {
      const discount =
        n < 4
          ? ({ kind: 'percentage', percent: `10${DIGITS}` } as const)
          : ({ kind: 'amount', amounts: { USD: '999999999999999' } } as const);
      const duration = periods === undefined ? ('forever' as const) : { periods };
      await process.execute(
        new CreateCoupon({ code, description: long('Off', couponText), discount, duration }, request()),
      );
    }
    return codes;
  };

  let lineItems = 0;
  /** Batches of line items until the period takes none that is as short as they come. */
  const fill = async (id: string, { lines, service }: Mix): Promise<{ added: number }> => {
    const metadata = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [long(`name-${n}`, 40), long('', 500)]));
    const lineItem = (size: Mix['lines']): NewLineItem => ({
      lineItemId: size === 'long' ? long(`${(lineItems += 1)}`, 100) : `${(lineItems += 1)}`,
      description: size === 'short' ? 'x' : long('Work', 500),
      unitPrice: `77777${DIGITS}`,
      ...(service === 'years' && { service: { from: '2026-01-01', to: '2030-12-31' } }),
      ...(size === 'long' && { quantity: BIG, taxCode: long('tax', 50), metadata }),
    });
    let added = 0;
    for (const size of ['long', 'described', 'short'] as const) {
      if (lines === 'described' && size === 'long') continue;
      if (lines === 'short' && size !== 'short') continue;
      for (;;) {
        const batch = Array.from({ length: size === 'long' ? 50 : 400 }, () => lineItem(size));
        const { records } = await process.execute(new AddLineItems(id, batch, request()));
        const made = records.filter(({ outcome }) => outcome === 'added').length;
        added += made;
        if (made < batch.length) break;
      }
    }
    return { added };
  };

  const bills = async (id: string): Promise<LinesBilled['data'][]> => {
    const made: LinesBilled['data'][] = [];
    for await (const { event } of process.repositories.subscriptions.history(id, 'default'))
      if (event.type === 'LinesBilled') made.push(event.data);
    return made;
  };

  const used = async (id: string, day: string, { items }: Mix) => {
    const values = items.flatMap(({ price }, n) => (price === 'usage' ? [n] : []));
    if (values.length === 0) return;
    const record = { subscriptionIds: [id], id: randomUUID(), event: 'used', at: `${day}T00:00:00.000Z`, value: BIG };
    const { records } = await process.execute(new RecordUsage([record], request()));
    expect(records.map(({ result }) => result)).toEqual(['accepted']);
  };

  const state = async (id: string) => {
    const loaded = await process.repositories.subscriptions.load(id, 'default');
    if (loaded === undefined || loaded.state.status === 'none') throw new Error('no subscription');
    return loaded.state;
  };

  /** Plays it from start to end; what it came to. */
  const play = async (asked: Mix) => {
    appends = [];
    const time = (day: string) => (process.clock.time = `${day}T00:00:00.000Z`);
    time('2026-01-01');
    const codes = await couponsOf(asked);
    const [item, ...items] = asked.items.map(itemOf);
    if (!item) throw new Error('no item');
    const started = await unlessFull(
      new StartSubscription(
        {
          customerId: long('customer', 200),
          currency: 'USD',
          timeZone: 'America/Argentina/ComodRivadavia',
          interval: { unit: 'month', count: 1 },
          item,
          items,
          usageGraceHours: asked.grace,
          ...(asked.commitment && {
            commitment: { minimum: '99999999', maximum: '999999999', discountableTrueUps: true },
          }),
          ...(asked.couponsAt === 'start' && { couponCodes: codes }),
        },
        request(),
      ),
    );
    if (started === 'full') return { refused: 'start' as const, added: 0, applied: 0, made: [] };
    const id = started.aggregateId;
    for (let n = 0; n < asked.changes; n += 1) {
      time(`2026-01-0${n + 2}`);
      const edits = asked.items.map((each, i): NewItemEdit => {
        const item = itemOf(each, i);
        if (each.price === 'usage') return { kind: 'put', item: { ...item, description: long(`Other ${n}`, 500) } };
        return { kind: 'quantity', itemId: item.itemId ?? '', quantity: `${20_500 + n}${DIGITS}` };
      });
      await unlessFull(new ChangeItems(id, { edits, billing: asked.billing }, request()));
      await used(id, `2026-01-0${n + 2}`, asked);
    }
    time('2026-01-10');
    await used(id, '2026-01-10', asked);
    const { added } = await fill(id, asked);
    let applied = asked.couponsAt === 'start' ? codes.length : 0;
    if (asked.couponsAt === 'full')
      for (const code of codes) if ((await unlessFull(new ApplyCoupon(id, code, request()))) !== 'full') applied += 1;

    time('2026-01-20');
    const { credit } = asked;
    if (asked.end === 'pause') {
      await process.execute(new PauseSubscription(id, { credit }, request()));
      await process.execute(new ResumeSubscription(id, { anchor: 'keep' }, request()));
    }
    if (asked.end === 'cancel') await process.execute(new CancelSubscription(id, { at: 'now', credit }, request()));
    time('2026-02-05');
    const rollOver = (periodNumber: number) => process.execute(new RollOverBillingPeriod(id, periodNumber, key()));
    const open = (await state(id)).openPeriod;
    if (open) await rollOver(open.periodNumber);
    const { awaitsUsage } = await state(id);
    if (awaitsUsage) await process.execute(new BillUsage(id, awaitsUsage.periodNumber, key()));
    // The next period as well, beside what is kept of this one.
    if ((await state(id)).openPeriod) {
      await fill(id, asked);
      time('2026-03-05');
      const { openPeriod } = await state(id);
      if (openPeriod) await rollOver(openPeriod.periodNumber);
    }
    const made = await bills(id);
    const largest = made.reduce((a, b) => (bytesOf(a) > bytesOf(b) ? a : b), made[0]!);
    if (largest) {
      const { billNumber, lines } = largest;
      await process.execute(new ReleaseBill(id, { billNumber, lines, rebill: true }, request()));
    }
    await process.repositories.flushSnapshots();
    return { refused: undefined, added, applied, made: await bills(id), kept: await state(id) };
  };
  const key = (): RequestContext => request();

  /** No append, bill, state or snapshot outgrows its limit. */
  const withinLimits = ({ made, kept }: Awaited<ReturnType<typeof play>>) => {
    const largestBill = Math.max(0, ...made.map(bytesOf));
    expect(largestBill).toBeLessThanOrEqual(MAX_BILL_BYTES);
    for (const { stream, bytes } of appends) expect([stream, bytes < MAX_APPEND_BYTES]).toEqual([stream, true]);
    if (kept) {
      const lines = kept.billed.reduce((sum, { bytes }) => sum + bytes, 0);
      expect(lines).toBeLessThanOrEqual(MAX_KEPT_BYTES);
      // Every state had a snapshot: none was skipped as too large.
      expect(bytesOf(kept)).toBeLessThan(MAX_APPEND_BYTES);
    }
    return largestBill;
  };

  it.each<[string, Partial<Mix>, number, number]>([
    ['as many short line items as there may be', {}, MAX_LINES_PER_PERIOD, 300_000],
    ['the longest line items', { lines: 'long' }, 5, 300_000],
    ['long line items for years', { lines: 'long', service: 'years' }, 5, 200_000],
    ['short line items that five coupons act on', { coupons: 5, lines: 'short' }, 50, 240_000],
    [
      'long line items that five coupons with long texts act on',
      { coupons: 5, couponText: 200, lines: 'long' },
      3,
      200_000,
    ],
    ['twenty items and two coupons', { items: many(20, flat), coupons: 2 }, 20, 100_000],
    ['twenty items and five coupons', { items: many(20, flat), coupons: 5 }, 1, 100_000],
  ])('holds %s', async (_, changes, least, bytes) => {
    const played = await play({ ...plain, ...changes });
    expect(played.refused).toBeUndefined();
    expect(played.added).toBeGreaterThanOrEqual(least);
    expect(withinLimits(played)).toBeGreaterThan(bytes);
  });

  it('is refused at the start when its first bill, or the next one, has no room', async () => {
    const items = many(MAX_ITEMS, longest);
    expect((await play({ ...plain, items, coupons: 5, couponText: 200 })).refused).toBe('start');
    const played = await play({ ...plain, items });
    expect(played.refused).toBeUndefined();
    expect(withinLimits(played)).toBeGreaterThan(100_000);
  });

  it(
    'fits, or is refused before, whatever it is made of',
    async () => {
      let largest = 0;
      await fc.assert(
        fc.asyncProperty(mix, async (asked) => {
          largest = Math.max(largest, withinLimits(await play(asked)));
        }),
        {
          numRuns: RUNS,
          examples: [
            [{ ...plain, items: many(14, longest), coupons: 4, couponText: 200, commitment: true }],
            [{ ...plain, items: many(8, { ...longest, price: 'usage' }), changes: 5, coupons: 3, end: 'cancel' }],
            [{ ...plain, items: many(10, longest), changes: 4, end: 'pause', coupons: 1 }],
          ],
          // One takes a second: a smaller one is not worth the wait.
          endOnFailure: true,
        },
      );
      expect(largest).toBeGreaterThan(200_000);
    },
    LONG_MS,
  );
});
