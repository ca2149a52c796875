import type { Line } from '../line';
import { encodedBytes } from '../text';
import { MAX_BILL_BYTES, MAX_KEPT_BYTES, MAX_LINES_PER_PERIOD } from './billing-period';
import { at, billed, catchUp, given, linesOf, refusal, startOn, thirtyDays, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { evolve, notStarted, type StartedSubscription, type Subscription } from './state';
import { cancelNow, scheduleCancellation, undoCancellation } from './cancel';
import { pause, resume } from './pause';
import { start } from './start';
import { addLineItem, rollOver, voidLineItem, type NewLineItem } from './subscription';

const none = { credit: 'none' } as const;
const keep = { anchor: 'keep' } as const;
const charge = (lineItemId: string, changes: Partial<NewLineItem> = {}): NewLineItem => ({
  lineItemId,
  description: 'Support hours',
  unitPrice: '1250',
  ...changes,
});
const adding =
  (lineItemId: string, now: string, changes: Partial<NewLineItem> = {}): Decision =>
  (state) =>
    addLineItem(state, charge(lineItemId, changes), at(now));
const pausing =
  (now: string): Decision =>
  (state) =>
    pause(state, none, at(now));
const resuming =
  (now: string): Decision =>
  (state) =>
    resume(state, keep, at(now));
const scheduling =
  (now: string): Decision =>
  (state) =>
    scheduleCancellation(state, at(now));
const rolling =
  (n: number, now: string): Decision =>
  (state) =>
    rollOver(state, n, at(now));
const canceling =
  (now: string): Decision =>
  (state) =>
    cancelNow(state, none, at(now));
const types = (events: readonly SubscriptionEvent[]) => events.map(({ type }) => type);

const { subscriptionId } = thirtyDays;
const baseLine = {
  lineId: '5ea4cd4a-0000-0000-0000-000000000000',
  kind: 'recurring',
  itemId: 'base',
  description: 'Base',
  service: { from: '2026-01-01', to: '2026-01-31' },
  quantity: '1',
  unitPrice: '3000',
  net: '3000',
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  change: 0,
  rule: { name: 'flat', fraction: { numerator: '30', denominator: '30' }, rounding: 'half-away-from-zero' },
  metadata: {},
};

describe('start', () => {
  it('opens the first period and bills what is due in advance', () => {
    const events = startOn('2026-01-01', { externalId: 'acme-1', metadata: { tier: 'gold' } })(notStarted);
    expect(events).toEqual([
      {
        type: 'SubscriptionStarted',
        data: {
          effectiveAt: '2026-01-01T00:00:00.000Z',
          subscriptionId,
          externalId: 'acme-1',
          customerId: 'customer-1',
          currency: 'USD',
          timeZone: 'UTC',
          paymentTermsDays: 0,
          startsAt: '2026-01-01T00:00:00.000Z',
          anchor: '2026-01-01T00:00:00',
          interval: { unit: 'day', count: 30 },
          items: [
            {
              itemId: 'base',
              componentKey: 'base',
              description: 'Base',
              quantity: '1',
              every: 1,
              timing: 'advance',
              price: { model: 'flat', unitPrice: '3000' },
              taxCode: null,
              taxBehaviour: 'unspecified',
              discountable: true,
              from: '2026-01-01T00:00:00',
            },
          ],
          rules: { prorationUnit: 'calendar-day', dayCount: 'half-open', rounding: 'half-away-from-zero' },
          metadata: { tier: 'gold' },
        },
      },
      {
        type: 'BillingPeriodOpened',
        data: {
          effectiveAt: '2026-01-01T00:00:00.000Z',
          periodNumber: 1,
          gridIndex: 0,
          kind: 'regular',
          from: '2026-01-01T00:00:00',
          to: '2026-01-31T00:00:00',
          startsAt: '2026-01-01T00:00:00.000Z',
          endsAt: '2026-01-31T00:00:00.000Z',
        },
      },
      {
        type: 'LinesBilled',
        data: {
          effectiveAt: '2026-01-01T00:00:00.000Z',
          subscriptionId,
          billNumber: 1,
          periodNumber: 1,
          cause: 'start',
          customerId: 'customer-1',
          timeZone: 'UTC',
          paymentTermsDays: 0,
          currency: 'USD',
          lines: [{ ...baseLine, lineId: linesOf(events)[0]?.lineId }],
          net: '3000',
        },
      },
    ]);
  });

  it('bills nothing at once in arrears', () => {
    expect(types(startOn('2026-01-01', {}, { timing: 'arrears' })(notStarted))).toEqual([
      'SubscriptionStarted',
      'BillingPeriodOpened',
    ]);
  });

  it('counts local dates: a start in the afternoon pays for the day', () => {
    const events = startOn('2026-03-05T19:30:00.123Z', {
      timeZone: 'America/New_York',
      interval: { unit: 'month', count: 1 },
    })(notStarted);
    expect(billed(events)).toEqual([['2026-03-05', '2026-04-05', '3000']]);
    expect(events[1]?.data).toMatchObject({
      from: '2026-03-05T14:30:00',
      startsAt: '2026-03-05T19:30:00.123Z',
      to: '2026-04-05T00:00:00',
      endsAt: '2026-04-05T04:00:00.000Z', // daylight time by then
    });
  });

  it('happens once', () => {
    expect(refusal(() => startOn('2026-01-02')(given(startOn('2026-01-01'))))).toBe('subscription-exists');
  });

  it('happens now', () => {
    const now = startOn('2026-01-01')(notStarted);
    expect(now).toHaveLength(3);
    expect(startOn('2026-01-01', { startsAt: at('2026-01-01') })(notStarted)).toEqual(now);
  });

  it.each([
    ['unknown-currency', { currency: 'usd' }],
    ['unknown-time-zone', { timeZone: 'Mars/Olympus' }],
    ['invalid-payment-terms', { paymentTermsDays: -1 }],
    ['invalid-payment-terms', { paymentTermsDays: 1.5 }],
    ['invalid-payment-terms', { paymentTermsDays: 366 }],
    ['invalid-interval', { interval: { unit: 'month', count: 0 } }],
    ['invalid-anchor', { anchor: { dayOfMonth: 5 } }],
    ['invalid-local-date-time', { anchor: { localDateTime: '2026-02-30T00:00:00' } }],
    ['invalid-text', { customerId: '' }],
    ['invalid-text', { customerId: 'a\u0000b' }],
    ['invalid-text', { externalId: '\ud800' }],
    ['invalid-metadata', { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, ''])) }],
    ['invalid-metadata', { metadata: { ['k'.repeat(41)]: '' } }],
    ['invalid-metadata', { metadata: { k: 'v'.repeat(501) } }],
    ['invalid-metadata', { metadata: { k: { nested: 'no' } as unknown as string } }],
  ] as const)('refuses with %s: %j', (code, changes) => {
    expect(refusal(() => startOn('2026-01-01', changes)(notStarted))).toBe(code);
  });

  it.each([
    ['invalid-decimal', { unitPrice: '9,99' }],
    ['negative-amount', { unitPrice: '-1' }],
    ['negative-amount', { quantity: '-1' }],
    ['amount-out-of-range', { quantity: '1000000001', unitPrice: '1000000' }],
    ['invalid-option', { timing: 'later' as 'arrears' }],
    ['invalid-option', { taxBehaviour: 'maybe' as 'exclusive' }],
    ['invalid-text', { description: 'd'.repeat(501) }],
  ] as const)('refuses an item with %s: %j', (code, item) => {
    expect(refusal(() => startOn('2026-01-01', {}, item)(notStarted))).toBe(code);
  });

  it('refuses a clock that is not in the canonical form', () => {
    expect(refusal(() => start(notStarted, thirtyDays, '2026-01-01T00:00:00Z'))).toBe('invalid-instant');
  });
});

describe('line items', () => {
  const started = given(startOn('2026-01-01'));

  it('go into the open period', () => {
    const events = adding('li-1', '2026-01-15T10:00:00.000Z', {
      quantity: '2.50',
      taxCode: 'txcd_1',
      metadata: { po: '7' },
    })(started);
    expect(events).toEqual([
      {
        type: 'LineItemAdded',
        data: {
          effectiveAt: '2026-01-15T10:00:00.000Z',
          periodNumber: 1,
          lineItemId: 'li-1',
          line: {
            lineId: expect.stringMatching(/^[0-9a-f-]{36}$/),
            kind: 'one-time',
            lineItemId: 'li-1',
            description: 'Support hours',
            service: { from: '2026-01-15', to: '2026-01-16' },
            quantity: '2.5',
            unitPrice: '1250',
            net: '3125',
            taxCode: 'txcd_1',
            taxBehaviour: 'unspecified',
            discountable: true,
            change: 0,
            rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
            metadata: { po: '7' },
          },
        },
      },
    ]);
  });

  it('are added once: same id and content is nothing, other content is refused', () => {
    const state = given(startOn('2026-01-01'), adding('li-1', '2026-01-15', { metadata: { a: '1', b: '2' } }));
    expect(adding('li-1', '2026-01-20', { metadata: { b: '2', a: '1' } })(state)).toEqual([]);
    expect(refusal(() => adding('li-1', '2026-01-15')(state))).toBe('line-item-exists');
    const next = given(startOn('2026-01-01'), adding('li-1', '2026-01-15'), rolling(1, '2026-01-31'));
    expect(adding('li-1', '2026-02-03')(next)).toEqual([]);
    expect(refusal(() => adding('li-1', '2026-02-03', { unitPrice: '1' })(next))).toBe('line-item-exists');
  });

  it('of the same text and price under another id are another charge', () => {
    const state = given(
      startOn('2026-01-01'),
      adding('a', '2026-01-02'),
      adding('b', '2026-01-02'),
      rolling(1, '2026-01-31'),
    );
    expect(state).toMatchObject({ billNumber: 2 });
    expect(
      linesOf(
        rolling(1, '2026-01-31')(given(startOn('2026-01-01'), adding('a', '2026-01-02'), adding('b', '2026-01-02'))),
      ),
    ).toHaveLength(3);
  });

  it('can be charged in one go with the start', () => {
    expect(given(startOn('2026-01-01'), adding('a', '2026-01-01'), adding('b', '2026-01-01'))).toMatchObject({
      openPeriod: { lines: [{ lineItemId: 'a' }, { lineItemId: 'b' }] },
    });
  });

  it.each([
    ['negative-amount', { unitPrice: '-1' }],
    ['invalid-decimal', { quantity: '1e3' }],
    ['amount-out-of-range', { unitPrice: '1000000000000001' }],
    ['invalid-service', { service: { from: '2026-01-02', to: '2026-01-02' } }],
    ['invalid-service', { service: { from: '2026-01-03', to: '2026-01-02' } }],
    ['invalid-service', { service: { from: '2026-01-01', to: '2031-02-05' } }],
    ['invalid-service', { service: { from: '2020-12-27', to: '2026-01-01' } }],
    ['invalid-date', { service: { from: '2026-01-01', to: '2026-02-30' } }],
    ['invalid-text', { lineItemId: 'x'.repeat(101) }],
    ['invalid-text', { description: 'two\nlines' }],
    ['invalid-text', { taxCode: '' }],
    ['invalid-metadata', { metadata: { '': 'x' } }],
  ] as const)('refuse with %s: %j', (code, changes) => {
    expect(refusal(() => adding('li-1', '2026-01-15', changes)(started))).toBe(code);
  });

  it('reach as far as five years from the period', () => {
    const service = { from: '2020-12-28', to: '2031-02-04' };
    expect(types(adding('li-1', '2026-01-15', { service })(started))).toEqual(['LineItemAdded']);
  });

  it('are voided while they are not billed, once', () => {
    const state = given(startOn('2026-01-01'), adding('a', '2026-01-02'), adding('b', '2026-01-02'));
    const events = voidLineItem(state, 'a', at('2026-01-03'));
    expect(events).toEqual([
      {
        type: 'LineItemVoided',
        data: {
          effectiveAt: at('2026-01-03'),
          periodNumber: 1,
          lineItemId: 'a',
          lineId: (state as StartedSubscription).openPeriod?.lines[0]?.lineId,
        },
      },
    ]);
    const voided = events.reduce<Subscription>(evolve, state);
    expect(voidLineItem(voided, 'a', at('2026-01-04'))).toEqual([]);
    expect(refusal(() => adding('a', '2026-01-04')(voided))).toBe('line-item-exists');
    expect(refusal(() => voidLineItem(voided, 'c', at('2026-01-04')))).toBe('line-item-not-found');
    expect(linesOf(rollOver(voided, 1, at('2026-01-31'))).map((line) => line.lineItemId)).toEqual(['b', undefined]);
    const next = given(startOn('2026-01-01'), adding('a', '2026-01-02'), rolling(1, '2026-01-31'));
    expect(refusal(() => voidLineItem(next, 'a', at('2026-02-01')))).toBe('line-item-already-billed');
  });

  it('need an open period', () => {
    const paused = given(startOn('2026-01-01'), pausing('2026-01-11'));
    expect(refusal(() => adding('a', '2026-01-12')(paused))).toBe('no-open-period');
    expect(refusal(() => voidLineItem(paused, 'a', at('2026-01-12')))).toBe('no-open-period');
  });
});

it('dates every decision no earlier than the open period, however far behind a clock is', () => {
  const now = '2026-01-30';
  const next = [startOn('2026-01-01'), rolling(1, '2026-01-31')];
  const open = given(...next, adding('z', '2026-02-01'), scheduling('2026-02-01'));
  const undoing: Decision = (s) => undoCancellation(s, at(now));
  const voiding: Decision = (s) => voidLineItem(s, 'z', at(now));
  const events = [
    ...[adding('a', now), voiding, undoing, canceling(now)].map((decide) => decide(open)),
    ...[pausing(now), scheduling(now)].map((decide) => decide(given(...next))),
  ];
  expect(events.map((each) => each.length > 0)).toEqual(Array(6).fill(true));
  expect(new Set(events.flat().map((event) => event.data.effectiveAt))).toEqual(new Set([at('2026-01-31')]));
});

describe('what a bill takes', () => {
  const billOf = (state: Subscription, lines: readonly Line[]): SubscriptionEvent => {
    const [bill] = rollOver(state, 1, at('2026-02-01')).filter((event) => event.type === 'LinesBilled');
    return { type: 'LinesBilled', data: { ...bill!.data, lines } };
  };
  const started = given(
    startOn('2026-01-01', {}, { timing: 'arrears' }),
    adding('a', '2026-01-02'),
    adding('b', '2026-01-02'),
  );
  const [a, b] = (started as StartedSubscription).openPeriod?.lines ?? [];

  it('leaves the open period, when it is billed at once', () => {
    const after = evolve(started, billOf(started, [a!]));
    expect(after.openPeriod?.lines).toEqual([b]);
    expect(after.openPeriod?.bytes).toBe(encodedBytes(b!) + 1);
    expect(after.billed.map(({ line }) => line)).toEqual([a]);
  });

  it('leaves what a closed period still has to bill', () => {
    const closed = evolve(started, rolling(1, '2026-02-01')(started)[0]!);
    expect(closed.accrued).toEqual([a, b]);
    expect(evolve(closed, billOf(started, [b!])).accrued).toEqual([a]);
  });
});

describe('limits of an open period', () => {
  it(`takes ${MAX_LINES_PER_PERIOD} line items, voided ones included`, () => {
    let state = given(startOn('2026-01-01'));
    const add = (id: string) => {
      state = adding(id, '2026-01-02', { description: 'x' })(state).reduce<Subscription>(evolve, state);
    };
    for (let i = 0; i < MAX_LINES_PER_PERIOD - 1; i += 1) add(`l${i}`);
    state = voidLineItem(state, 'l0', at('2026-01-02')).reduce<Subscription>(evolve, state);
    add('last');
    expect(refusal(() => adding('one-more', '2026-01-02')(state))).toBe('billing-period-full');
    expect(adding('last', '2026-01-02', { description: 'x' })(state)).toEqual([]);
    expect(linesOf(rollOver(state, 1, at('2026-01-31')))).toHaveLength(MAX_LINES_PER_PERIOD);
  });

  it('leaves room for what the boundary adds', () => {
    const words = { description: '語'.repeat(500), taxCode: '語'.repeat(50), itemId: '語'.repeat(100) };
    let state = given(startOn('2026-01-01', {}, { ...words, timing: 'arrears' }));
    const fill = (prefix: string, changes: Partial<NewLineItem>) => {
      for (let i = 0; ; i += 1) {
        const outcome = refusal(() => {
          state = adding(`${prefix}${i}`, '2026-01-02', changes)(state).reduce<Subscription>(evolve, state);
        });
        if (outcome === 'billing-period-full') return;
      }
    };
    fill('a', { description: 'd'.repeat(500) });
    fill('b', { description: 'd' });
    const bill = rolling(1, '2026-01-31')(state).find((event) => event.type === 'LinesBilled');
    expect(encodedBytes(bill?.data ?? {})).toBeLessThanOrEqual(MAX_BILL_BYTES);
    expect(encodedBytes(bill?.data ?? {})).toBeGreaterThan(MAX_BILL_BYTES * 0.97);
    expect(bill?.data.lines.length).toBeLessThan(MAX_LINES_PER_PERIOD);
  });

  it('never makes a bill or a state larger than one append, with the longest lines, period after period', () => {
    const longest = {
      description: '"'.repeat(500),
      taxCode: '語'.repeat(50),
      metadata: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}`.padStart(40, '語'), '語'.repeat(500)])),
      service: { from: '2026-01-01', to: '2031-01-01' },
    };
    let state = given(
      startOn(
        '2026-01-01',
        { metadata: longest.metadata },
        { description: '語'.repeat(500), taxCode: '語'.repeat(50), itemId: '語'.repeat(100), timing: 'arrears' },
      ),
    );
    let [largest, refused] = [0, 0];
    for (let n = 1; n <= 6; n += 1) {
      for (let i = 0; ; i += 1) {
        const outcome = refusal(() => {
          state = adding(
            `${n}-${i}`.padStart(100, '語'),
            '2026-01-01',
            longest,
          )(state).reduce<Subscription>(evolve, state);
          return 'added';
        });
        if (outcome === 'billing-period-full') break;
        expect(outcome).toBe('decided "added"');
      }
      refused += 1;
      const events = rolling(n, '2027-01-01')(state);
      state = events.reduce<Subscription>(evolve, state);
      largest = Math.max(largest, ...events.map((event) => encodedBytes(event.data)));
    }
    expect(refused).toBe(6);
    expect(largest).toBeGreaterThan(MAX_BILL_BYTES * 0.7);
    expect(largest).toBeLessThanOrEqual(MAX_BILL_BYTES);
    const { billed: kept, metadata } = state as StartedSubscription;
    expect(kept.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(MAX_KEPT_BYTES);
    expect(encodedBytes(state)).toBeLessThan(MAX_KEPT_BYTES + encodedBytes(metadata) + 20_000);
  });
});

describe('roll-over', () => {
  it('closes where the period was to end, also at a time that the clock skips', () => {
    const changes = {
      timeZone: 'America/New_York',
      interval: { unit: 'day', count: 1 },
      anchor: { localDateTime: '2024-03-08T02:30:00' },
    } as const;
    const state = given(startOn('2024-03-09T12:00:00.000Z', changes));
    const [closed, opened] = rolling(1, '2024-03-10T12:00:00.000Z')(state);
    expect(closed?.data).toMatchObject({ to: '2024-03-10T02:30:00', endsAt: '2024-03-10T07:30:00.000Z' });
    expect(opened?.data).toMatchObject({ from: '2024-03-10T02:30:00', startsAt: '2024-03-10T07:30:00.000Z' });
  });

  it('closes, opens and bills everything in one append, dated at the boundary', () => {
    const state = given(startOn('2026-01-01', {}, { timing: 'arrears', unitPrice: '100' }), adding('a', '2026-01-05'));
    const events = rolling(1, '2026-03-31')(state);
    expect(types(events)).toEqual(['BillingPeriodClosed', 'BillingPeriodOpened', 'LinesBilled']);
    expect(events.map((event) => event.data.effectiveAt)).toEqual(Array(3).fill(at('2026-01-31')));
    expect(events[0]?.data).toEqual({
      effectiveAt: at('2026-01-31'),
      periodNumber: 1,
      to: '2026-01-31T00:00:00',
      endsAt: at('2026-01-31'),
      cause: 'boundary',
    });
    expect(events[2]?.data).toMatchObject({ billNumber: 1, periodNumber: 1, cause: 'boundary', net: '1350' });
    expect(billed(events)).toEqual([
      ['2026-01-05', '2026-01-06', '1250'],
      ['2026-01-01', '2026-01-31', '100'],
    ]);
  });

  it('bills the next period in advance', () => {
    expect(billed(rolling(1, '2026-01-31')(given(startOn('2026-01-01'))))).toEqual([
      ['2026-01-31', '2026-03-02', '3000'],
    ]);
  });

  it('is due at the boundary and not before', () => {
    const state = given(startOn('2026-01-01'));
    expect(refusal(() => rolling(1, '2026-01-30T23:59:59.999Z')(state))).toBe('period-not-elapsed');
    expect(refusal(() => rolling(2, '2027-01-01')(state))).toBe('period-not-elapsed');
    expect(rolling(1, '2026-01-31')(state)).toHaveLength(3);
  });

  it('of an earlier period is done already', () => {
    const state = given(startOn('2026-01-01'), rolling(1, '2026-02-01'));
    expect(rolling(1, '2026-02-01')(state)).toEqual([]);
    const paused = given(startOn('2026-01-01'), pausing('2026-01-11'));
    expect(rolling(1, '2026-02-01')(paused)).toEqual([]);
    expect(refusal(() => rolling(2, '2026-02-01')(paused))).toBe('period-not-elapsed');
    const ended = given(startOn('2026-01-01'), canceling('2026-01-11'));
    expect(rolling(1, '2026-02-01')(ended)).toEqual([]);
    expect(refusal(() => rolling(2, '2026-02-01')(ended))).toBe('subscription-canceled');
    expect(refusal(() => rolling(-1, '2026-02-01')(state))).toBe('invalid-option');
    expect(refusal(() => rolling(1.5, '2026-02-01')(state))).toBe('invalid-option');
  });

  it('comes before any other decision: lag never changes a bill', () => {
    const state = given(startOn('2026-01-01'));
    const late = '2026-01-31';
    const decisions: Decision[] = [adding('a', late), pausing(late), resuming(late), scheduling(late), canceling(late)];
    decisions.push(
      (s) => voidLineItem(s, 'a', at(late)),
      (s) => undoCancellation(s, at(late)),
    );
    expect(decisions.map((decide) => refusal(() => decide(state)))).toEqual(Array(7).fill('boundary-due'));
    expect(() => adding('a', late)(state)).toThrow(expect.objectContaining({ details: { periodNumber: 1 } }));
  });

  it('forgets the lines of periods before the previous one', () => {
    const state = given(startOn('2026-01-01'), adding('a', '2026-01-05'), catchUp('2026-03-15'));
    expect(
      (state as StartedSubscription).billed.map(({ billNumber, line }) => [billNumber, line.service.from]),
    ).toEqual([
      [2, '2026-01-31'],
      [3, '2026-03-02'],
    ]);
  });

  it('skips a day that a zone skips: no period of no time', () => {
    const daily = startOn('2011-12-29T10:00:00.000Z', {
      timeZone: 'Pacific/Apia',
      interval: { unit: 'day', count: 1 },
    });
    const events = catchUp('2012-01-02T00:00:00.000Z')(given(daily));
    const opened = events.flatMap((event) => (event.type === 'BillingPeriodOpened' ? [event.data] : []));
    expect(opened.map(({ from, startsAt, endsAt }) => [from.slice(0, 10), startsAt, endsAt])).toEqual([
      ['2011-12-31', '2011-12-30T10:00:00.000Z', '2011-12-31T10:00:00.000Z'],
      ['2012-01-01', '2011-12-31T10:00:00.000Z', '2012-01-01T10:00:00.000Z'],
      ['2012-01-02', '2012-01-01T10:00:00.000Z', '2012-01-02T10:00:00.000Z'],
    ]);
  });
});

describe('pause and resume', () => {
  it('30.00 per 30 days in advance, paused on day 10 without credit, resumed on day 20: days 20–30 cost 0.00', () => {
    const paused = pausing('2026-01-11')(given(startOn('2026-01-01')));
    expect(paused).toEqual([
      {
        type: 'BillingPeriodClosed',
        data: {
          effectiveAt: at('2026-01-11'),
          periodNumber: 1,
          to: '2026-01-11T00:00:00',
          endsAt: at('2026-01-11'),
          cause: 'pause',
        },
      },
      {
        type: 'SubscriptionPaused',
        data: { effectiveAt: at('2026-01-11'), paidThrough: { base: '2026-01-31' }, credit: 'none' },
      },
    ]);
    const resumed = resuming('2026-01-21')(given(startOn('2026-01-01'), pausing('2026-01-11')));
    expect(resumed).toEqual([
      { type: 'SubscriptionResumed', data: { effectiveAt: at('2026-01-21'), anchor: 'keep' } },
      {
        type: 'BillingPeriodOpened',
        data: {
          effectiveAt: at('2026-01-21'),
          periodNumber: 2,
          gridIndex: 0,
          kind: 'regular',
          from: '2026-01-21T00:00:00',
          to: '2026-01-31T00:00:00',
          startsAt: at('2026-01-21'),
          endsAt: at('2026-01-31'),
        },
      },
    ]);
    const state = given(startOn('2026-01-01'), pausing('2026-01-11'), resuming('2026-01-21'));
    expect(billed(rolling(2, '2026-01-31')(state))).toEqual([['2026-01-31', '2026-03-02', '3000']]);
  });

  it('resumed after what is paid: the rest of the grid period is charged', () => {
    const paused = given(startOn('2026-01-01'), pausing('2026-01-11'));
    expect(billed(resuming('2026-02-15')(paused))).toEqual([['2026-02-15', '2026-03-02', '1500']]);
  });

  it('what is paid stays paid through a second pause', () => {
    const state = given(startOn('2026-01-01'), pausing('2026-01-11'), resuming('2026-01-13'), pausing('2026-01-15'));
    expect(billed(resuming('2026-01-20')(state))).toEqual([]);
  });

  it('in arrears bills the days before, and after, and each day once', () => {
    const arrears = startOn('2026-01-01', {}, { timing: 'arrears' });
    const events = pausing('2026-01-11T15:00:00.000Z')(given(arrears, adding('a', '2026-01-05')));
    expect(types(events)).toEqual(['BillingPeriodClosed', 'SubscriptionPaused', 'LinesBilled']);
    expect(events[2]?.data).toMatchObject({ cause: 'pause', periodNumber: 1 });
    expect(billed(events)).toEqual([
      ['2026-01-05', '2026-01-06', '1250'],
      ['2026-01-01', '2026-01-11', '1000'],
    ]);
    const resumed = given(arrears, pausing('2026-01-11T15:00:00.000Z'), resuming('2026-01-11T18:00:00.000Z'));
    expect(billed(rolling(2, '2026-02-01')(resumed))).toEqual([['2026-01-11', '2026-01-31', '2000']]);
  });

  it('is nothing when it is so already', () => {
    const paused = given(startOn('2026-01-01'), pausing('2026-01-11'));
    expect(pausing('2026-05-01')(paused)).toEqual([]);
    expect(resuming('2026-01-05')(given(startOn('2026-01-01')))).toEqual([]);
  });

  it('is dated no earlier than what it follows', () => {
    const paused = given(startOn('2026-01-01'), pausing('2026-01-11'));
    expect(resuming('2026-01-10')(paused).map((event) => event.data.effectiveAt)).toEqual([
      at('2026-01-11'),
      at('2026-01-11'),
    ]);
    expect(canceling('2026-01-10')(paused)[0]?.data.effectiveAt).toBe(at('2026-01-11'));
  });

  it('keeps only the pauses since the previous period', () => {
    const state = given(
      startOn('2026-01-01'),
      ...[2, 4, 6, 8].flatMap((day) => [pausing(`2026-01-0${day}`), resuming(`2026-01-0${day + 1}`)]),
    );
    expect((state as StartedSubscription).pauses).toEqual([{ from: at('2026-01-08'), to: at('2026-01-09') }]);
  });

  it('refuses what is no option, and a pause of what is about to end', () => {
    const state = given(startOn('2026-01-01'));
    expect(refusal(() => pause(state, { credit: 'half' as 'none' }, at('2026-01-02')))).toBe('invalid-option');
    expect(refusal(() => resume(state, { anchor: 'move' as 'keep' }, at('2026-01-02')))).toBe('invalid-option');
    expect(refusal(() => pausing('2026-01-03')(given(startOn('2026-01-01'), scheduling('2026-01-02'))))).toBe(
      'cancellation-scheduled',
    );
  });
});

describe('cancellation', () => {
  it('at period end makes the next roll-over the last', () => {
    const state = given(
      startOn('2026-01-01', {}, { timing: 'arrears' }),
      adding('a', '2026-01-05'),
      scheduling('2026-01-10'),
    );
    const events = rolling(1, '2026-02-07')(state);
    expect(types(events)).toEqual(['BillingPeriodClosed', 'SubscriptionCanceled', 'LinesBilled']);
    expect(events[0]?.data).toMatchObject({ cause: 'cancellation', endsAt: at('2026-01-31') });
    expect(events[1]?.data).toEqual({ effectiveAt: at('2026-01-31'), cause: 'scheduled', credit: 'none' });
    expect(events[2]?.data).toMatchObject({ cause: 'final', net: '4250', effectiveAt: at('2026-01-31') });
  });

  it('asked for on 1 Feb 00:05 while the scheduler comes at 00:10 ends on 1 March', () => {
    const monthly = startOn('2026-01-01', { interval: { unit: 'month', count: 1 } }, { unitPrice: '3100' });
    const now = '2026-02-01T00:05:00.000Z';
    expect(refusal(() => scheduling(now)(given(monthly)))).toBe('boundary-due');
    const state = given(monthly, rolling(1, now), scheduling(now));
    expect(state).toMatchObject({ cancelsAt: at('2026-03-01') });
  });

  it('can be undone until then, and is nothing when it is so already', () => {
    const state = given(startOn('2026-01-01'), scheduling('2026-01-10'));
    expect(scheduling('2026-01-11')(state)).toEqual([]);
    const events = undoCancellation(state, at('2026-01-12'));
    expect(events).toEqual([
      { type: 'CancellationUnscheduled', data: { effectiveAt: at('2026-01-12'), periodNumber: 1 } },
    ]);
    const undone = events.reduce<Subscription>(evolve, state);
    expect(undoCancellation(undone, at('2026-01-12'))).toEqual([]);
    expect(types(rolling(1, '2026-02-01')(undone))).toEqual([
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
    expect(refusal(() => scheduling('2026-01-12')(given(startOn('2026-01-01'), pausing('2026-01-11'))))).toBe(
      'subscription-paused',
    );
  });

  it('now bills the pending lines and the arrears to the day, and gives no advance back', () => {
    const arrears = given(startOn('2026-01-01', {}, { timing: 'arrears' }), adding('a', '2026-01-05'));
    expect(billed(canceling('2026-01-11T09:00:00.000Z')(arrears))).toEqual([
      ['2026-01-05', '2026-01-06', '1250'],
      ['2026-01-01', '2026-01-11', '1000'],
    ]);
    const advance = canceling('2026-01-11')(given(startOn('2026-01-01')));
    expect(advance).toEqual([
      {
        type: 'BillingPeriodClosed',
        data: {
          effectiveAt: at('2026-01-11'),
          periodNumber: 1,
          to: '2026-01-11T00:00:00',
          endsAt: at('2026-01-11'),
          cause: 'cancellation',
        },
      },
      { type: 'SubscriptionCanceled', data: { effectiveAt: at('2026-01-11'), cause: 'requested', credit: 'none' } },
    ]);
  });

  it('now ends a paused one and one about to end too', () => {
    const paused = given(startOn('2026-01-01'), pausing('2026-01-11'));
    expect(types(canceling('2026-01-12')(paused))).toEqual(['SubscriptionCanceled']);
    const ending = given(startOn('2026-01-01'), scheduling('2026-01-02'), canceling('2026-01-03'));
    expect(ending).toMatchObject({ status: 'canceled', cancelsAt: null, openPeriod: null });
  });

  it('is the end', () => {
    const state = given(startOn('2026-01-01'), canceling('2026-01-11'));
    expect(canceling('2026-01-12')(state)).toEqual([]);
    const now = '2026-01-12';
    const decisions: Decision[] = [adding('a', now), pausing(now), resuming(now), scheduling(now)];
    decisions.push(
      (s) => voidLineItem(s, 'a', at(now)),
      (s) => undoCancellation(s, at(now)),
    );
    expect(decisions.map((decide) => refusal(() => decide(state)))).toEqual(Array(6).fill('subscription-canceled'));
    expect(cancelNow(state, { credit: 'prorated' }, at(now))).toEqual([]);
  });
});

it('refuses everything before the start', () => {
  const now = '2026-01-12';
  const decisions: Decision[] = [
    adding('a', now),
    pausing(now),
    resuming(now),
    scheduling(now),
    canceling(now),
    rolling(1, now),
  ];
  decisions.push(
    (s) => voidLineItem(s, 'a', at(now)),
    (s) => undoCancellation(s, at(now)),
  );
  expect(decisions.map((decide) => refusal(() => decide(notStarted)))).toEqual(Array(8).fill('subscription-not-found'));
});

it('throws at an event that it does not know, and never ignores one', () => {
  const unknown = { type: 'SubscriptionExploded', data: {} } as unknown as SubscriptionEvent;
  expect(() => evolve(given(startOn('2026-01-01')), unknown)).toThrow('unknown event SubscriptionExploded');
});
