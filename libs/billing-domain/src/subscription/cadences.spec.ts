import { changeBillingCycle } from './change-billing-cycle';
import { changeItems, changeQuantity, type ChangeItems, type NewItemEdit } from './change-items';
import { cancelNow, scheduleCancellation } from './cancel';
import { at, catchUp, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { pause, resume } from './pause';
import type { StartedSubscription } from './state';

const month = { unit: 'month', count: 1 } as const;
/** 1,200.00 a year in advance beside 10.00 a month in arrears, in monthly periods. */
const annual = startOn(
  '2026-01-01',
  {
    interval: month,
    items: [{ componentKey: 'monthly', description: 'Monthly', unitPrice: '1000', timing: 'arrears' }],
  },
  { unitPrice: '120000', every: 12 },
);
/** 90.00 a quarter in arrears, in monthly periods. */
const quarterly = startOn('2026-01-01', { interval: month }, { unitPrice: '9000', every: 3, timing: 'arrears' });

function all(...decisions: readonly Decision[]): SubscriptionEvent[] {
  const events: SubscriptionEvent[] = [];
  given(
    ...decisions.map((decide): Decision => (state) => {
      const made = decide(state);
      events.push(...made);
      return made;
    }),
  );
  return events;
}
const editing =
  (edit: NewItemEdit, on: string, more: Partial<ChangeItems> = {}): Decision =>
  (state) =>
    changeItems(state, { edits: [edit], billing: 'now', ...more }, at(on));
const seats = (quantity: string, on: string, more: Partial<ChangeItems> = {}) =>
  editing({ kind: 'quantity', itemId: 'base', quantity }, on, more);
const canceling =
  (on: string): Decision =>
  (state) =>
    cancelNow(state, { credit: 'prorated' }, at(on));
const stateOf = (...decisions: readonly Decision[]) => given(...decisions) as StartedSubscription;
/** Lines of the item of the long cadence. */
const billed = (events: readonly SubscriptionEvent[]) =>
  linesOf(events).flatMap(({ kind, itemId, service, net }) =>
    itemId === 'base' ? [[kind, service.from, service.to, net]] : [],
  );

describe('an item that bills every twelfth period, in advance', () => {
  it('is billed on its own grid, for a year, while the others are billed every month', () => {
    const events = all(annual, catchUp('2027-02-01'));
    expect(billed(events)).toEqual([
      ['recurring', '2026-01-01', '2027-01-01', '120000'],
      ['recurring', '2027-01-01', '2028-01-01', '120000'],
    ]);
    expect(linesOf(events).filter(({ itemId }) => itemId === 'monthly')).toHaveLength(13);
    expect(linesOf(events)[0]?.rule).toMatchObject({ every: 12, fraction: { numerator: '365', denominator: '365' } });
  });

  it('that is changed in its tenth period is credited to the day, far beyond the correction horizon', () => {
    // 365 days; 92 of them are left on 1 October.
    const events = all(annual, catchUp('2026-10-01'), seats('2', '2026-10-01'));
    expect(stateOf(() => events).lastClosed?.from).toBe('2026-09-01T00:00:00');
    expect(billed(events).slice(1)).toEqual([
      ['correction', '2026-10-01', '2027-01-01', '-30247'],
      ['recurring', '2026-10-01', '2027-01-01', '60493'],
    ]);
  });

  it('is changed at the end of a month, and backdated to the horizon', () => {
    const scheduled = all(annual, catchUp('2026-03-10'), seats('2', '2026-03-10', { when: 'period-end' }));
    expect(billed(catchUp('2026-04-01')(stateOf(() => scheduled)))).toEqual([
      ['correction', '2026-04-01', '2027-01-01', '-90411'],
      ['recurring', '2026-04-01', '2027-01-01', '180822'],
    ]);
    const backdated = all(
      annual,
      catchUp('2026-03-10'),
      seats('2', '2026-03-10', { when: { effectiveOn: '2026-02-01' } }),
    );
    expect(billed(backdated).slice(1)).toEqual([
      ['correction', '2026-02-01', '2027-01-01', '-109808'],
      ['recurring', '2026-02-01', '2027-01-01', '219616'],
    ]);
    const early = seats('2', '2026-03-10', { when: { effectiveOn: '2026-01-31' } });
    expect(refusal(() => early(stateOf(annual, catchUp('2026-03-10'))))).toBe('before-correction-horizon');
  });

  it('gives the rest of the year back when it ends, and nothing when that was not asked for', () => {
    const changed = [annual, catchUp('2026-10-01'), seats('2', '2026-10-01')];
    const events = all(...changed, catchUp('2026-12-15'), canceling('2026-12-15'));
    expect(billed(events).slice(3)).toEqual([['correction', '2026-12-15', '2027-01-01', '-11178']]);
    const without = all(annual, catchUp('2026-10-01'), (s) => cancelNow(s, { credit: 'none' }, at('2026-10-10')));
    expect(billed(without)).toHaveLength(1);
    const atEnd = all(annual, catchUp('2026-10-10'), (s) => scheduleCancellation(s, at('2026-10-10')));
    expect(billed(catchUp('2026-11-01')(stateOf(() => atEnd)))).toEqual([]);
  });

  it('added in the middle is charged up to the end of its cycle, and taken away again given back', () => {
    const item = {
      componentKey: 'insurance',
      description: 'Insurance',
      timing: 'advance',
      every: 12,
      unitPrice: '36500',
    };
    const put = { kind: 'put', item: { ...item, timing: 'advance' } } as const;
    const events = all(annual, catchUp('2026-04-11'), editing(put, '2026-04-11'), catchUp('2026-06-01'));
    const remove = editing({ kind: 'remove', itemId: 'insurance' }, '2026-06-01');
    const lines = linesOf([...events, ...remove(stateOf(() => events))]);
    expect(lines.flatMap(({ itemId, service, net }) => (itemId === 'insurance' ? [[service, net]] : []))).toEqual([
      [{ from: '2026-04-11', to: '2027-01-01' }, '26500'],
      [{ from: '2026-06-01', to: '2027-01-01' }, '-21400'],
    ]);
  });

  it('is not charged again after a pause that gave nothing back, and is after one that did', () => {
    const paused = (credit: 'none' | 'prorated') =>
      all(
        annual,
        catchUp('2026-03-11'),
        (s) => pause(s, { credit }, at('2026-03-11')),
        (s) => resume(s, { anchor: 'keep' }, at('2026-05-11')),
        catchUp('2027-01-01'),
      );
    expect(billed(paused('none')).slice(1)).toEqual([['recurring', '2027-01-01', '2028-01-01', '120000']]);
    expect(billed(paused('prorated')).slice(1)).toEqual([
      ['correction', '2026-03-11', '2027-01-01', '-97315'],
      ['recurring', '2026-05-11', '2027-01-01', '77260'],
      ['recurring', '2027-01-01', '2028-01-01', '120000'],
    ]);
  });

  it('restarts with the grid when the interval changes', () => {
    const events = all(annual, catchUp('2026-03-11'), (s) =>
      changeBillingCycle(s, { interval: { unit: 'month', count: 3 }, edits: [] }, at('2026-03-11')),
    );
    // Every twelfth quarter: three years, of 1,096 days with 2028, from the first of March on.
    expect(billed(events).slice(1)).toEqual([
      ['correction', '2026-03-11', '2027-01-01', '-97315'],
      ['recurring', '2026-03-11', '2029-03-01', '118905'],
    ]);
  });

  it('keeps nothing of years gone by', () => {
    const bytes = (until: string) => JSON.stringify(stateOf(annual, catchUp(until))).length;
    expect(Math.abs(bytes('2036-02-15') - bytes('2028-02-15'))).toBeLessThan(20);
  });
});

describe('an item that bills every third period, in arrears', () => {
  it('is billed when its quarter has ended', () => {
    const events = all(quarterly, catchUp('2026-07-15'));
    expect(billed(events)).toEqual([
      ['recurring', '2026-01-01', '2026-04-01', '9000'],
      ['recurring', '2026-04-01', '2026-07-01', '9000'],
    ]);
  });

  it('bills each part of the quarter on its terms, also of months that have closed', () => {
    const events = all(quarterly, catchUp('2026-03-10'), seats('2', '2026-03-10'), catchUp('2026-04-01'));
    expect(billed(events)).toEqual([
      ['recurring', '2026-01-01', '2026-03-10', '6800'],
      ['recurring', '2026-03-10', '2026-04-01', '4400'],
    ]);
    const backdated = seats('2', '2026-03-10', { when: { effectiveOn: '2026-02-01' } });
    expect(billed(all(quarterly, catchUp('2026-03-10'), backdated, catchUp('2026-04-01')))).toEqual([
      ['recurring', '2026-01-01', '2026-02-01', '3100'],
      ['recurring', '2026-02-01', '2026-04-01', '11800'],
    ]);
  });

  it('bills what was served when it ends or pauses in the middle', () => {
    expect(billed(all(quarterly, catchUp('2026-03-10'), canceling('2026-03-10')))).toEqual([
      ['recurring', '2026-01-01', '2026-03-10', '6800'],
    ]);
    const pausing: Decision = (s) => pause(s, { credit: 'none' }, at('2026-02-15'));
    const resuming: Decision = (s) => resume(s, { anchor: 'keep' }, at('2026-03-02'));
    expect(billed(all(quarterly, catchUp('2026-02-15'), pausing, resuming, catchUp('2026-04-01')))).toEqual([
      ['recurring', '2026-01-01', '2026-02-15', '4500'],
      ['recurring', '2026-03-02', '2026-04-01', '3000'],
    ]);
  });
});

describe('a one-time item', () => {
  const fee = {
    componentKey: 'fee',
    description: 'Fee',
    kind: 'one-time',
    unitPrice: '5000',
    timing: 'advance',
  } as const;
  const withFee = (more: object = {}) => startOn('2026-01-20', { interval: month, items: [{ ...fee, ...more }] });
  const fees = (events: readonly SubscriptionEvent[]) =>
    linesOf(events).flatMap(({ kind, itemId, service, net }) =>
      itemId === 'fee' ? [[kind, service.from, service.to, net]] : [],
    );

  it('is charged once, whole, however short the first period is, and never again', () => {
    const stub = startOn('2026-01-20', { interval: month, anchor: { dayOfMonth: 1 }, items: [fee] });
    const events = all(stub, catchUp('2026-02-05'), seats('3', '2026-02-05'), catchUp('2026-06-01'));
    expect(fees(events)).toEqual([['one-time', '2026-01-20', '2026-01-21', '5000']]);
  });

  it('is charged for each unit, at the end of the trial, and in arrears with the first boundary', () => {
    expect(fees(all(withFee({ quantity: '3' })))).toEqual([['one-time', '2026-01-20', '2026-01-21', '15000']]);
    const trial = all(startOn('2026-01-20', { interval: month, items: [fee], trialDays: 10 }), catchUp('2026-01-30'));
    expect(fees(trial)).toEqual([['one-time', '2026-01-30', '2026-01-31', '5000']]);
    const arrears = all(withFee({ timing: 'arrears' }));
    expect(fees(arrears)).toEqual([]);
    expect(fees(catchUp('2026-02-20')(stateOf(() => arrears)))).toEqual([
      ['one-time', '2026-01-20', '2026-01-21', '5000'],
    ]);
  });

  it('that comes later is charged when it comes, also at a period end; one of another key is another fee', () => {
    const put = { kind: 'put', item: fee } as const;
    const plain = startOn('2026-01-20', { interval: month });
    expect(fees(all(plain, editing(put, '2026-02-01')))).toEqual([['one-time', '2026-02-01', '2026-02-02', '5000']]);
    const ending = all(plain, editing(put, '2026-02-01', { when: 'period-end' }), catchUp('2026-03-21'));
    expect(fees(ending)).toEqual([['one-time', '2026-02-20', '2026-02-21', '5000']]);
    const other = { kind: 'put', item: { ...fee, componentKey: 'other' } } as const;
    const both = all(withFee(), editing(other, '2026-02-01'));
    expect(linesOf(both).filter(({ kind }) => kind === 'one-time')).toHaveLength(2);
  });

  it('is not given back when it goes or the subscription ends, but the same day takes it back whole', () => {
    const remove: NewItemEdit = { kind: 'remove', itemId: 'fee' };
    expect(fees(all(withFee(), editing(remove, '2026-01-25'), canceling('2026-02-01')))).toHaveLength(1);
    expect(fees(all(withFee(), editing(remove, '2026-01-20T10:00:00.000Z')))).toEqual([
      ['one-time', '2026-01-20', '2026-01-21', '5000'],
      ['correction', '2026-01-20', '2026-01-21', '-5000'],
    ]);
  });

  it('takes no other quantity once it is charged: the change is about what has not happened yet', () => {
    const more: Decision = (s) => changeQuantity(s, { itemId: 'fee', quantity: '2', billing: 'now' }, at('2026-01-25'));
    expect(fees(all(withFee(), more, catchUp('2026-04-01')))).toHaveLength(1);
  });
});
