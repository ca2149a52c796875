import type { Price } from '../price/price';
import type { UsageRecord } from '../usage/usage-record';
import { UsageStream } from '../usage/usage.fixture';
import { changeItems } from './change-items';
import { at, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { rollOver } from './subscription';
import { usagePeriod } from './usage-period';

const paid = (rate: string, freeRecords: number): Price => ({
  model: 'percentage',
  rate,
  recordFee: '20',
  freeRecords,
});
const payments = (price: Price, segments: 'go-on' | 'restart', key = 'payments') =>
  ({
    kind: 'usage',
    itemId: key,
    componentKey: key,
    description: 'Payments',
    timing: 'arrears',
    meter: { key: 'payments', aggregation: 'sum' },
    segments,
    price,
  }) as const;
const startWith = (item: ReturnType<typeof payments>) =>
  startOn('2026-01-01', { interval: { unit: 'month', count: 1 }, items: [item] });
const changed =
  (day: string, ...edits: Parameters<typeof changeItems>[1]['edits']): Decision =>
  (state) =>
    changeItems(state, { edits }, at(day));
const payment = (day: string, value = '100'): UsageRecord => ({ id: day, event: 'payments', at: at(day), value });
/** The usage of January as the subscription knows it. */
const january = (state: Subscription) => usagePeriod(state as StartedSubscription, 1, 1)!;
/** What January's usage is charged, run by run. */
const charged = (state: Subscription, usage: UsageStream) =>
  linesOf(rollOver(state, 1, at('2026-02-01'), usage.seal(at('2026-02-01'))))
    .filter(({ kind }) => kind === 'usage')
    .map(({ service, net }) => [service.from, service.to, net]);

describe('free records', () => {
  // Found by the simulated book: those of the first segment were the only ones that were kept, and a restart had none left to give.
  it('are given anew by a segment that restarts, whatever came before it in the period', () => {
    const state = given(
      startWith(payments(paid('1', 2), 'restart')),
      changed('2026-01-10', { kind: 'put', item: payments(paid('2', 2), 'restart') }),
    );
    const usage = new UsageStream(january(state));
    const days = ['2026-01-02', '2026-01-03', '2026-01-04', '2026-01-11', '2026-01-12', '2026-01-13'];
    usage.record(
      days.map((day) => payment(day)),
      at('2026-01-14'),
    );
    expect(charged(state, usage)).toEqual([
      ['2026-01-01', '2026-01-10', '21'],
      ['2026-01-10', '2026-02-01', '22'],
    ]);
  });

  it('are given anew by another component that reads the same meter', () => {
    const state = given(
      startWith(payments(paid('1', 1), 'go-on')),
      changed(
        '2026-01-10',
        { kind: 'remove', itemId: 'payments' },
        { kind: 'put', item: payments(paid('1', 1), 'go-on', 'transfers') },
      ),
    );
    const usage = new UsageStream(january(state));
    usage.record([payment('2026-01-02'), payment('2026-01-11')], at('2026-01-14'));
    expect(charged(state, usage)).toEqual([
      ['2026-01-01', '2026-01-10', '0'],
      ['2026-01-10', '2026-02-01', '0'],
    ]);
  });

  it('are not lost to a record that came late and counts in a later segment', () => {
    const state = given(
      startWith(payments(paid('1', 1), 'go-on')),
      changed('2026-01-10', { kind: 'put', item: payments(paid('2', 1), 'go-on') }),
    );
    const usage = new UsageStream(january(state));
    usage.record([payment('2026-01-02')], at('2026-01-03'));
    usage.countLate([payment('2025-12-20')], at('2026-01-12'));
    expect(charged(state, usage)).toEqual([
      ['2026-01-01', '2026-01-10', '0'],
      ['2026-01-10', '2026-02-01', '22'],
    ]);
  });

  it('are refused where what is kept of them could outgrow an event: whatever is measured fits one', () => {
    let state = given(startWith(payments(paid('1', 100), 'restart')));
    const refused = Array.from({ length: 20 }, (_, i) => i + 2).find((n) => {
      const edits = [{ kind: 'put', item: payments(paid(`${n}`, 100), 'restart') }] as const;
      const change = (before: Subscription) => changeItems(before, { edits }, at(`2026-01-${`${n}`.padStart(2, '0')}`));
      if (refusal(() => change(state)) === 'billing-period-full') return true;
      state = change(state).reduce(evolve, state as StartedSubscription);
      return false;
    });
    expect(refused).toBe(14);
    const usage = new UsageStream(january(state));
    // The longest ids and values that there are.
    const id = (n: number) => `${n}`.padStart(100, '\u6f22');
    const value = `-999999999999999.${'9'.repeat(12)}`;
    for (let on = 1; on <= 13; on += 1) {
      const day = `2026-01-${`${on}`.padStart(2, '0')}`;
      const late = Array.from({ length: 100 }, (_, n) => ({ ...payment('2025-12-20', value), id: id(1000 * on + n) }));
      usage.countLate(late, at(`${day}T12:00:00.000Z`));
    }
    usage.cut(usage.period, at('2026-01-15'));
    const bytes = usage.events.map((event) => Buffer.byteLength(JSON.stringify(event)));
    expect(Math.max(...bytes)).toBeGreaterThan(500_000);
    expect(Math.max(...bytes)).toBeLessThan(700_000);
  });

  it('are counted again where segments of the same revision were known without saying where they begin anew', () => {
    const state = given(
      startWith(payments(paid('1', 1), 'restart')),
      changed('2026-01-10', { kind: 'put', item: payments(paid('2', 1), 'restart') }),
    );
    const period = january(state);
    const usage = new UsageStream({
      ...period,
      segments: period.segments.map(({ from, meters }) => ({ from, meters })),
    });
    usage.record([payment('2026-01-02'), payment('2026-01-11')], at('2026-01-14'));
    usage.period = period;
    expect(charged(state, usage)).toEqual([
      ['2026-01-01', '2026-01-10', '0'],
      ['2026-01-10', '2026-02-01', '0'],
    ]);
  });
});
