import { presets } from '../billing-rules';
import type { SealedUsage } from '../usage/events';
import { changeItems } from './change-items';
import { at, given, startOn, thirtyDays, type Decision } from './decisions.fixture';
import type { StartSubscription } from './start';
import type { StartedSubscription } from './state';
import type { NewItem } from './terms';
import { usageLines } from './usage-lines';
import { usagePeriod, usagePrices, usageStretches } from './usage-period';

const month = { unit: 'month', count: 1 } as const;
const { subscriptionId } = thirtyDays;
const meter = { key: 'calls', aggregation: 'sum' } as const;
const calls: NewItem = {
  kind: 'usage',
  itemId: 'calls',
  componentKey: 'calls',
  description: 'Calls',
  timing: 'arrears',
  meter,
  price: { model: 'per-unit', unitPrice: '2' },
};
const free = (freeRecords: number, recordFee = '3') =>
  ({ model: 'percentage', rate: '1', freeRecords, recordFee }) as const;
const put =
  (on: string, item: NewItem): Decision =>
  (s) =>
    changeItems(s, { edits: [{ kind: 'put', item }] }, at(on));
const state = (items: readonly NewItem[], changes: Partial<StartSubscription> = {}, ...more: Decision[]) =>
  given(startOn('2026-01-01', { interval: month, items, ...changes }), ...more) as StartedSubscription;
type Measured = readonly [from: string, quantity: string, records?: number, first?: readonly string[]];
const sealed = (...segments: Measured[]): SealedUsage => ({
  subscriptionId,
  periodNumber: 1,
  startsAt: at('2026-01-01'),
  to: at('2026-02-01'),
  segments: segments.map(([from, quantity, records = 1, first]) => ({
    from: at(from),
    meters: [{ meter: 'calls', records, quantity, ...(first && { first }) }],
  })),
  carried: [],
});
const shown = (subscription: StartedSubscription, ...segments: Measured[]) =>
  usageLines(subscription, sealed(...segments)).map(({ service, quantity, net }) => [
    service.from,
    service.to,
    quantity,
    net,
  ]);

describe('the lines of usage', () => {
  it('say what was measured of what, over which time', () => {
    const [line] = usageLines(state([calls]), sealed(['2026-01-01', '12.5']));
    expect(line).toStrictEqual({
      lineId: line?.lineId,
      kind: 'usage',
      itemId: 'calls',
      description: 'Calls',
      service: { from: '2026-01-01', to: '2026-02-01' },
      quantity: '12.5',
      unitPrice: '2',
      net: '25',
      taxCode: null,
      taxBehaviour: 'unspecified',
      discountable: true,
      change: 0,
      rule: {
        name: 'per-unit',
        fraction: { numerator: '1', denominator: '1' },
        rounding: 'half-away-from-zero',
        usage: { meter: 'calls', periodNumber: 1, from: at('2026-01-01'), to: at('2026-02-01') },
      },
      metadata: {},
    });
    const perTier = usageLines(state([calls], { rules: presets.openmeter }), sealed(['2026-01-01', '1']));
    expect(perTier[0]?.rule.roundedPer).toBe('tier');
  });

  it('are none of what was not used, or came to less than nothing', () => {
    expect(shown(state([calls]), ['2026-01-01', '0'])).toEqual([]);
    expect(shown(state([calls]), ['2026-01-01', '-5'])).toEqual([]);
    expect(usageLines(state([calls]), { ...sealed(['2026-01-01', '5']), periodNumber: 2 })).toEqual([]);
    const tiers = [{ upTo: null, unitPrice: '2', flatFee: '100' }];
    const fee = state([{ ...calls, price: { model: 'graduated', tiers } }]);
    expect(shown(fee, ['2026-01-01', '0'])).toEqual([['2026-01-01', '2026-02-01', '0', '100']]);
    expect(shown(fee, ['2026-01-01', '-5'])).toEqual([['2026-01-01', '2026-02-01', '0', '100']]);
  });

  it('are at most what a line can be', () => {
    const dear = state([{ ...calls, price: { model: 'per-unit', unitPrice: `1${'0'.repeat(15)}` } }]);
    expect(shown(dear, ['2026-01-01', '2'])).toEqual([['2026-01-01', '2026-02-01', '2', `1${'0'.repeat(15)}`]]);
  });

  const other = {
    ...calls,
    itemId: 'other',
    componentKey: 'other',
    meter: { key: 'other', aggregation: 'sum' },
  } as const;
  it('are one where only something else changed', () => {
    const subscription = state(
      [calls, other],
      {},
      put('2026-01-11', { ...other, price: { model: 'per-unit', unitPrice: '7' } }),
    );
    expect(shown(subscription, ['2026-01-01', '3', 2], ['2026-01-11', '4', 5])).toEqual([
      ['2026-01-01', '2026-02-01', '7', '14'],
    ]);
    const percentage = state(
      [{ ...calls, price: free(3) }, other],
      {},
      put('2026-01-11', { ...other, price: { model: 'per-unit', unitPrice: '7' } }),
    );
    const [line] = usageLines(
      percentage,
      sealed(['2026-01-01', '300', 2, ['100', '200']], ['2026-01-11', '900', 2, ['400']]),
    );
    // The three first of four records are free: 500 and one fee are left.
    expect(line?.parts?.map(({ per, quantity }) => [per, quantity])).toEqual([
      ['amount', '500'],
      ['record', '1'],
    ]);
  });

  it('go on in their tiers where their price changed, and begin anew where they are told to', () => {
    const tiered = (unitPrice: string, more: Partial<NewItem> = {}): NewItem => ({
      ...calls,
      price: {
        model: 'graduated',
        tiers: [
          { upTo: '10', unitPrice: '5', flatFee: '100' },
          { upTo: null, unitPrice },
        ],
      },
      ...more,
    });
    const goesOn = state([tiered('2')], {}, put('2026-01-11', tiered('1')));
    expect(shown(goesOn, ['2026-01-01', '8'], ['2026-01-11', '8'])).toEqual([
      ['2026-01-01', '2026-01-11', '8', '140'],
      ['2026-01-11', '2026-02-01', '8', '16'],
    ]);
    const lines = usageLines(goesOn, sealed(['2026-01-01', '8'], ['2026-01-11', '8']));
    expect(lines.map(({ change, rule }) => [change, rule.usage?.before])).toEqual([
      [0, undefined],
      [1, '8'],
    ]);
    const anew = state([tiered('2')], {}, put('2026-01-11', tiered('1', { segments: 'restart' })));
    expect(shown(anew, ['2026-01-01', '8'], ['2026-01-11', '8'])).toEqual([
      ['2026-01-01', '2026-01-11', '8', '140'],
      ['2026-01-11', '2026-02-01', '8', '140'],
    ]);
    expect(usageLines(anew, sealed(['2026-01-01', '8'], ['2026-01-11', '8']))[1]?.rule.usage).not.toHaveProperty(
      'before',
    );
  });
});

describe('what usage is measured by', () => {
  it('is nothing of a period that is not kept', () => {
    expect(usageStretches(state([calls]), 7)).toEqual([]);
    expect(usagePeriod(state([calls]), 7, 1)).toBeUndefined();
  });

  it('is each meter once, with the most free records that are asked of it', () => {
    const subscription = state(
      [{ ...calls, price: free(3) }],
      {},
      put('2026-01-11', { ...calls, price: free(5) }),
      put('2026-01-21', { ...calls, price: free(4) }),
    );
    expect(usagePeriod(subscription, 1, 9)).toEqual({
      subscriptionId,
      periodNumber: 1,
      startsAt: at('2026-01-01'),
      endsAt: at('2026-02-01'),
      whole: { from: at('2026-01-01'), to: at('2026-02-01') },
      meters: [{ meter: { key: 'calls', event: 'calls', aggregation: 'sum' }, first: 5 }],
      segments: ['2026-01-01', '2026-01-11', '2026-01-21'].map((from) => ({ from: at(from), meters: ['calls'] })),
      knownAt: 9,
    });
    expect(usagePeriod(state([calls]), 1, 1)?.meters).toEqual([
      { meter: { key: 'calls', event: 'calls', aggregation: 'sum' } },
    ]);
  });

  it('counts free records anew where another component reads it, or its terms say so', () => {
    const anew = (...more: Decision[]) =>
      usagePeriod(state([{ ...calls, price: free(3) }], {}, ...more), 1, 1)?.segments.map((each) => each.anew);
    const changed = { ...calls, price: free(5) };
    expect(anew(put('2026-01-11', changed))).toEqual([undefined, undefined]);
    expect(anew(put('2026-01-11', { ...changed, segments: 'restart' }))).toEqual([undefined, ['calls']]);
    const by: Decision = (s) =>
      changeItems(
        s,
        {
          edits: [
            { kind: 'remove', itemId: 'calls' },
            { kind: 'put', item: { ...changed, itemId: 'new', componentKey: 'new' } },
          ],
        },
        at('2026-01-11'),
      );
    expect(anew(by)).toEqual([undefined, ['calls']]);
    const other = {
      ...calls,
      itemId: 'other',
      componentKey: 'other',
      meter: { key: 'other', aggregation: 'sum' },
    } as const;
    const restarting: NewItem = { ...changed, segments: 'restart' };
    expect(anew(put('2026-01-11', restarting), put('2026-01-21', other))).toEqual([undefined, ['calls'], undefined]);
    const gone: Decision = (s) => changeItems(s, { edits: [{ kind: 'remove', itemId: 'calls' }] }, at('2026-01-11'));
    expect(anew(gone, put('2026-01-21', changed))).toEqual([undefined, undefined, undefined]);
    expect(anew(gone, put('2026-01-21', restarting))).toEqual([undefined, undefined, ['calls']]);
  });

  it('is priced as it is now', () => {
    expect(
      usagePrices(state([calls], {}, put('2026-01-11', { ...calls, price: { model: 'per-unit', unitPrice: '7' } }))),
    ).toEqual({
      calls: { model: 'per-unit', unitPrice: '7' },
    });
    expect(usagePrices(state([]))).toEqual({});
  });
});
