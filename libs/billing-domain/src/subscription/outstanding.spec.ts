import { presets } from '../billing-rules';
import { cancelNow } from './cancel';
import { changeBillingCycle } from './change-billing-cycle';
import { changeItems, changeQuantity } from './change-items';
import { billed, catchUp, given, linesOf, startOn } from './decisions.fixture';
import type { Item } from './events';
import { outstandingLines } from './outstanding';
import { pause, resume } from './pause';
import { evolve, type StartedSubscription, type Subscription } from './state';

/* What the subscription's own commands cannot reach: any items beside a line that is billed. */
describe('outstanding lines', () => {
  const subscription = given(startOn('2026-01-01')) as StartedSubscription;
  const base = subscription.terms[0]?.items[0] as Item;
  const lines = (items: readonly Partial<Item>[], from = '2026-01-01T00:00:00', billed = subscription.billed) =>
    outstandingLines({
      ...subscription,
      billed,
      terms: [{ change: 1, from, items: items.map((item) => ({ ...base, ...item })) }],
    }).map(({ kind, itemId, service, net, change }) => [kind, itemId, service.from, service.to, net, change]);

  it('are none for what is billed as it is asked for, whatever else changes about it', () => {
    expect(lines([{ description: 'Other words', taxCode: 'txcd_1' }])).toEqual([]);
    expect(lines([{ timing: 'arrears' }])).toEqual([]);
  });

  it('charge the other items for the period, but arrears not before it ends', () => {
    expect(lines([{}, { itemId: 'a' }, { itemId: 'arrears', timing: 'arrears' }, { itemId: 'constructor' }])).toEqual([
      ['recurring', 'a', '2026-01-01', '2026-01-31', '3000', 1],
      ['recurring', 'constructor', '2026-01-01', '2026-01-31', '3000', 1],
    ]);
  });

  it('take back whole what nobody asks for, and charge what stands in its place', () => {
    expect(lines([])).toEqual([['correction', 'base', '2026-01-01', '2026-01-31', '-3000', 1]]);
    expect(lines([{ quantity: '2' }])).toEqual([
      ['correction', 'base', '2026-01-01', '2026-01-31', '-3000', 1],
      ['recurring', 'base', '2026-01-01', '2026-01-31', '6000', 1],
    ]);
  });

  it('charge what no line holds, before and after it', () => {
    const [only] = subscription.billed;
    const middle = only && { ...only, line: { ...only.line, service: { from: '2026-01-11', to: '2026-01-21' } } };
    expect(lines([{}], undefined, middle ? [middle] : [])).toEqual([
      ['recurring', 'base', '2026-01-01', '2026-01-11', '1000', 1],
      ['recurring', 'base', '2026-01-21', '2026-01-31', '1000', 1],
    ]);
  });

  describe('under the rules of Lago, both ends inclusive and credited at the current price', () => {
    const lago = { interval: { unit: 'month', count: 1 }, rules: presets.lago } as const;

    it('credit a cancellation at the price that a change has brought, not at the one before it', () => {
      const item = { description: 'Base', unitPrice: '20000', timing: 'advance' } as const;
      const state = given(startOn('2026-01-01', lago, { unitPrice: '10000' }), (s) =>
        changeItems(s, { edits: [{ kind: 'put', item }], billing: 'now' }, '2026-01-11T00:00:00.000Z'),
      );
      // 11 of 31 days of 200.00.
      expect(billed(cancelNow(state, { credit: 'prorated' }, '2026-01-20T00:00:00.000Z'))).toEqual([
        ['2026-01-21', '2026-02-01', '-7097'],
      ]);
    });

    it('credit at the price that was charged, not at one that came and went within a day', () => {
      const item = { description: 'Base', unitPrice: '500', timing: 'advance' } as const;
      const state = given(startOn('2026-01-01', lago, { unitPrice: '10000' }), (s) =>
        changeItems(s, { edits: [{ kind: 'put', item }] }, '2026-01-11T10:00:00.000Z'),
      );
      const edits = [{ kind: 'remove', itemId: 'base' }] as const;
      // 21 of 31 days of 100.00.
      expect(billed(changeItems(state, { edits, billing: 'now' }, '2026-01-11T12:00:00.000Z'))).toEqual([
        ['2026-01-11', '2026-02-01', '-6774'],
      ]);
    });

    it('count the day of a cancellation as used, but not that of the pause in which it comes', () => {
      const paused = given(startOn('2026-01-01', lago, { timing: 'arrears' }), (s) =>
        pause(s, { credit: 'none' }, '2026-01-11T00:00:00.000Z'),
      );
      expect(billed(cancelNow(paused, { credit: 'none' }, '2026-01-20T00:00:00.000Z'))).toEqual([]);
    });

    it('counted in seconds have each an id of its own, however often a subscription pauses on one day', () => {
      const bySecond = { rules: { ...presets.perennial, prorationUnit: 'second' } } as const;
      const none = { credit: 'none' } as const;
      let state = given(startOn('2026-01-01', bySecond, { timing: 'arrears' }));
      const lines = ['2026-01-01T06:00:00.000Z', '2026-01-01T12:00:00.000Z', '2026-01-01T18:00:00.000Z'].flatMap(
        (now) => {
          const events = pause(state, none, now);
          state = events.reduce<Subscription>(evolve, state);
          state = resume(state, { anchor: 'keep' }, now).reduce<Subscription>(evolve, state);
          return linesOf(events);
        },
      );
      expect(lines.map(({ net }) => net)).toEqual(['25', '25', '25']);
      expect(new Set(lines.map((line) => line.lineId)).size).toBe(3);
    });

    it('give a day of the pause back, where a cancellation comes in the same moment', () => {
      const now = '2026-01-11T00:00:00.000Z';
      const paused = given(startOn('2026-01-01', lago), (s) => pause(s, { credit: 'none' }, now));
      // 21 of 31 days of 30.00.
      expect(billed(cancelNow(paused, { credit: 'prorated' }, now))).toEqual([['2026-01-11', '2026-02-01', '-2032']]);
    });

    it('give nothing back of a piece without length, in months of 30 days', () => {
      const rules = { interval: { unit: 'month', count: 1 }, rules: presets['kill-bill-fixed-days'] } as const;
      const anchor = { dayOfMonth: 31 } as const;
      const state = given(startOn('2026-03-30', { ...rules, anchor }));
      expect(
        billed(changeQuantity(state, { itemId: 'base', quantity: '2', billing: 'now' }, '2026-03-30T10:00:00.000Z')),
      ).toEqual([
        ['2026-03-30', '2026-03-31', '0'],
        ['2026-03-30', '2026-03-31', '0'],
      ]);
    });
  });

  it('are billed ahead to the end of their cycle, also where the first one counts against an imagined one', () => {
    const terms = { interval: { unit: 'month', count: 1 }, rules: presets.stripe, anchor: { dayOfMonth: 1 } } as const;
    const state = startOn('2026-01-11', terms, { every: 2 })({ status: 'none' });
    // 11 January to 1 March, of the 59 days to 11 March.
    expect(billed(state)).toEqual([['2026-01-11', '2026-03-01', '2492']]);
  });

  it('take a fee back that goes in the second in which it came', () => {
    const openmeter = { interval: { unit: 'month', count: 1 }, rules: presets.openmeter } as const;
    const fee = {
      kind: 'one-time',
      itemId: 'fee',
      componentKey: 'fee',
      description: 'Fee',
      timing: 'advance',
    } as const;
    const state = given(startOn('2026-01-01', openmeter), (s) =>
      changeItems(
        s,
        { edits: [{ kind: 'put', item: { ...fee, unitPrice: '700' } }], billing: 'now' },
        '2026-01-11T10:00:00.000Z',
      ),
    );
    const edits = [{ kind: 'remove', itemId: 'fee' }] as const;
    const removed = (now: string) => billed(changeItems(state, { edits, billing: 'now' }, now));
    expect(removed('2026-01-11T10:00:00.000Z')).toEqual([['2026-01-11', '2026-01-12', '-700']]);
    expect(removed('2026-01-11T10:00:01.000Z')).toEqual([]);
  });

  // Found by the simulated book: the terms before were forgotten, and what was given back was priced by those that came after them.
  it('credit at the current price what is cut where the correction horizon lies, and a change has begun before', () => {
    const item = (componentKey: string, unitPrice: string, every?: number) =>
      ({ componentKey, description: componentKey, unitPrice, timing: 'advance', every }) as const;
    const [seats, dearer] = [item('seats', '10', 1), item('seats', '20', 1)];
    const state = given(
      startOn('2026-01-01', {
        interval: { unit: 'month', count: 1 },
        rules: presets.meteroid,
        items: [item('licence', '36500', 12), seats],
      }),
      (s) => changeItems(s, { edits: [{ kind: 'put', item: dearer }], when: 'period-end' }, '2026-01-10T00:00:00.000Z'),
      catchUp('2026-03-02T00:00:00.000Z'),
    );
    const put = [{ kind: 'put', item: item('licence', '3650000', 12) }] as const;
    const changed = changeItems(
      state,
      { edits: put, when: { effectiveOn: '2026-02-01' }, billing: 'now' },
      '2026-03-02T00:00:00.000Z',
    );
    expect(billed(changed)).toEqual([
      ['2026-02-01', '2027-01-01', '-33400'],
      ['2026-02-01', '2027-01-01', '3340000'],
    ]);
  });

  it('charge a fee for the day on which a trial that was paused past its end goes on', () => {
    const fee = {
      kind: 'one-time',
      itemId: 'fee',
      componentKey: 'fee',
      description: 'Fee',
      timing: 'advance',
    } as const;
    const terms = {
      interval: { unit: 'month', count: 1 },
      trialDays: 5,
      items: [{ ...fee, unitPrice: '700' }],
    } as const;
    const paused = given(startOn('2026-01-01', terms), (s) => pause(s, { credit: 'none' }, '2026-01-03T00:00:00.000Z'));
    expect(billed(resume(paused, { anchor: 'keep' }, '2026-01-10T00:00:00.000Z'))).toContainEqual([
      '2026-01-10',
      '2026-01-11',
      '700',
    ]);
  });

  it('charge nothing for less than a second where seconds are counted', () => {
    const openmeter = { interval: { unit: 'month', count: 1 }, rules: presets.openmeter } as const;
    const interval = { unit: 'day', count: 30 } as const;
    const changed = changeBillingCycle(
      given(startOn('2026-01-01', openmeter)),
      { interval, edits: [] },
      '2026-01-01T00:00:00.400Z',
    );
    expect(billed(changed)).toEqual([
      ['2026-01-01', '2026-02-01', '-3000'],
      ['2026-01-01', '2026-01-31', '3000'],
    ]);
  });
});
