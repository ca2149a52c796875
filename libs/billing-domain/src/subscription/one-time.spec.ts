import { presets } from '../billing-rules';
import { lineId } from '../ids';
import type { Line } from '../line';
import { cancelNow } from './cancel';
import { changeItems } from './change-items';
import { at, catchUp, given, linesOf, startOn, thirtyDays, type Decision } from './decisions.fixture';
import type { Item, ItemEdit, SubscriptionEvent } from './events';
import { edited } from './items-changed';
import { releaseBill } from './release-bill';
import type { StartSubscription } from './start';
import type { StartedSubscription } from './state';
import { newItem, type NewItem } from './terms';

/* A fee that is charged once, beside 30.00 in advance every month. */

const setUp: NewItem = {
  itemId: 'set-up',
  componentKey: 'set-up',
  description: 'Set-up',
  kind: 'one-time',
  timing: 'advance',
  unitPrice: '5000',
  quantity: '2',
  taxCode: 'labour',
  taxBehaviour: 'exclusive',
  discountable: false,
};
const { subscriptionId } = thirtyDays;
const started = (items: readonly NewItem[] = [setUp], changes: Partial<StartSubscription> = {}) =>
  startOn('2026-01-01', { interval: { unit: 'month', count: 1 }, items, ...changes });
const editing =
  (on: string, ...edits: Parameters<typeof changeItems>[1]['edits']): Decision =>
  (s) =>
    changeItems(s, { edits, billing: 'now' }, at(on));
const put = (item: NewItem) => ({ kind: 'put', item }) as const;
const remove = (itemId: string) => ({ kind: 'remove', itemId }) as const;
/** The lines of one-time items that the last of the decisions gives. */
const fees = (...decisions: [...Decision[], Decision]): Line[] => {
  const last = decisions.at(-1)!;
  const events: readonly SubscriptionEvent[] = last(given(...decisions.slice(0, -1)));
  const state = given(...decisions) as StartedSubscription;
  const ids = new Set(state.billed.flatMap(({ line }) => (line.kind === 'one-time' ? [line.lineId] : [])));
  return linesOf(events).filter(({ lineId: id, corrects = '' }) => ids.has(id) || ids.has(corrects));
};
const shown = (lines: readonly Line[]) =>
  lines.map(({ kind, itemId, service, net }) => [kind, itemId, service.from, net]);

const planned = ({ from: _, ...item }: Item): ItemEdit => ({
  kind: 'plan',
  interval: { unit: 'month', count: 1 },
  items: [item],
  conditions: {},
});
const day = { from: '2026-01-01', to: '2026-01-02' };
const charge: Line = {
  lineId: lineId(subscriptionId, 'set-up', 'one-time', day, null, 0),
  kind: 'one-time',
  itemId: 'set-up',
  description: 'Set-up',
  service: day,
  quantity: '2',
  unitPrice: '5000',
  net: '10000',
  taxCode: 'labour',
  taxBehaviour: 'exclusive',
  discountable: false,
  change: 0,
  rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
  metadata: {},
};

describe('a fee that is charged once', () => {
  it('is a line for the day on which it comes, whole', () => {
    expect(fees(started())).toStrictEqual([charge]);
    expect(fees(started(), catchUp('2026-04-01'))).toEqual([]);
  });

  it('counted in seconds says from when it is, and is charged once as well', () => {
    const month = { unit: 'month', count: 1 } as const;
    const start = startOn('2026-01-01T10:00:00.000Z', { interval: month, items: [setUp], rules: presets.openmeter });
    const [line] = fees(start);
    expect(line?.rule.instants).toEqual({ from: '2026-01-01T10:00:00.000Z', to: '2026-01-02T00:00:00.000Z' });
    expect(fees(start, catchUp('2026-04-01'))).toEqual([]);
    expect(fees(started())[0]?.rule).not.toHaveProperty('instants');
  });

  it('that the same day takes back is given back whole, once', () => {
    const back = fees(started(), editing('2026-01-01', remove('set-up')));
    expect(back).toStrictEqual([
      {
        ...charge,
        lineId: lineId(subscriptionId, 'set-up', 'correction', day, charge.lineId, 1),
        kind: 'correction',
        net: '-10000',
        corrects: charge.lineId,
        change: 1,
        rule: {
          name: 'flat',
          fraction: { numerator: '0', denominator: '1' },
          rounding: 'half-away-from-zero',
          credit: { basis: 're-rate', netSoFar: '10000' },
        },
      },
    ]);
    const twice = editing('2026-01-01', put({ ...setUp, itemId: 'other', componentKey: 'other' }));
    expect(shown(fees(started(), editing('2026-01-01', remove('set-up')), twice))).toEqual([
      ['one-time', 'other', '2026-01-01', '10000'],
    ]);
    expect(fees(started(), editing('2026-01-02', remove('set-up')))).toEqual([]);
    const bySecond = { rules: presets.openmeter };
    const [given] = fees(started([setUp], bySecond), editing('2026-01-01', remove('set-up')));
    expect(given?.rule.instants).toEqual({ from: at('2026-01-01'), to: at('2026-01-02') });
  });

  it('that was waived is taken back for nothing', () => {
    const waive: Decision = (s) => {
      const lines = (s as StartedSubscription).billed.map(({ line }) => line);
      return releaseBill(s, { billNumber: 1, lines, rebill: false }, at('2026-01-01'));
    };
    const [back] = fees(started(), waive, editing('2026-01-01', remove('set-up')));
    expect(back).toMatchObject({
      kind: 'correction',
      net: '0',
      rule: { credit: { basis: 're-rate', netSoFar: '10000', waived: true } },
    });
  });

  it('that the same day puts at another price is another fee', () => {
    expect(shown(fees(started(), editing('2026-01-01', put({ ...setUp, unitPrice: '4000' }))))).toEqual([
      ['correction', 'set-up', '2026-01-01', '-10000'],
      ['one-time', 'set-up', '2026-01-01', '8000'],
    ]);
    // A later day changes what has not happened yet, and nothing has.
    expect(fees(started(), editing('2026-01-02', put({ ...setUp, unitPrice: '4000' })))).toEqual([]);
  });

  it('is one of each item, on each of its days', () => {
    const second = { ...setUp, itemId: 'training', componentKey: 'training', unitPrice: '100' };
    expect(shown(fees(started([setUp, second])))).toEqual([
      ['one-time', 'set-up', '2026-01-01', '10000'],
      ['one-time', 'training', '2026-01-01', '200'],
    ]);
    expect(shown(fees(started(), editing('2026-01-05', put(second))))).toEqual([
      ['one-time', 'training', '2026-01-05', '200'],
    ]);
    expect(shown(fees(started([setUp, second]), editing('2026-01-01', remove('training'))))).toEqual([
      ['correction', 'training', '2026-01-01', '-200'],
    ]);
    // Gone for a day, it comes as a fee of its own.
    const again = [editing('2026-01-05', remove('training')), editing('2026-01-09', put(second))] as const;
    expect(shown(fees(started([setUp, second]), ...again))).toEqual([['one-time', 'training', '2026-01-09', '200']]);
  });

  it('beside an item that takes its id and recurs is as it was', () => {
    const { kind: _, ...every } = { ...setUp, description: 'Care', quantity: '1' };
    const lines = linesOf(editing('2026-01-11', put(every))(given(started())));
    expect(lines.map(({ kind, net }) => [kind, net])).toEqual([['recurring', '3387']]);
  });

  // Found by mutants: it kept the day on which it had begun to recur, on which no fee was asked for, and was never charged.
  it('is charged where it takes the place of an item that recurs, and where a plan has it so', () => {
    const { kind: _, ...every } = { ...setUp, quantity: '1' };
    expect(shown(fees(started([every]), editing('2026-01-11', put(setUp))))).toEqual([
      ['one-time', 'set-up', '2026-01-11', '10000'],
    ]);
    expect(shown(fees(started([every]), editing('2026-01-11', put(setUp)), editing('2026-01-15', put(every))))).toEqual(
      [],
    );
    const ofPlan = edited(
      [{ ...newItem(every, ''), ofPlan: true, from: 'then' }],
      [planned(newItem(setUp, ''))],
      'now',
    );
    expect(ofPlan).toMatchObject([{ itemId: 'set-up', kind: 'one-time', from: 'now' }]);
    const same = edited([{ ...newItem(every, ''), ofPlan: true, from: 'then' }], [planned(newItem(every, ''))], 'now');
    expect(same).toMatchObject([{ itemId: 'set-up', from: 'then' }]);
  });

  it('comes when the trial has ended, and when it is in arrears with the end of its period', () => {
    const trial = started([setUp], { trialDays: 14 });
    expect(fees(trial)).toEqual([]);
    expect(shown(fees(trial, catchUp('2026-01-15')))).toEqual([['one-time', 'set-up', '2026-01-15', '10000']]);
    const later = started([{ ...setUp, timing: 'arrears' }]);
    expect(fees(later)).toEqual([]);
    expect(shown(fees(later, catchUp('2026-02-01')))).toEqual([['one-time', 'set-up', '2026-01-01', '10000']]);
    const ended: Decision = (s) => cancelNow(s, { credit: 'none' }, at('2026-01-05'));
    expect(shown(fees(later, ended))).toEqual([['one-time', 'set-up', '2026-01-01', '10000']]);
  });
});
