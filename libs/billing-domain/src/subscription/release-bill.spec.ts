import { changeQuantity } from './change-items';
import { at, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import { outstandingLines } from './outstanding';
import { releaseBill } from './release-bill';
import type { StartedSubscription } from './state';
import { cancelNow } from './cancel';

describe('a released bill', () => {
  const start = startOn('2026-01-01');
  const state = given(start) as StartedSubscription;
  const lines = state.billed.map(({ line }) => line);
  const releasing =
    (rebill: boolean, now = '2026-01-11'): Decision =>
    (s) =>
      releaseBill(s, { billNumber: 1, lines, rebill }, at(now));
  const doubled: Decision = (s) =>
    changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, at('2026-01-21'));

  it('goes on a new bill, whole and once', () => {
    const events = releasing(true)(state);
    expect(events.map(({ type }) => type)).toEqual(['BillReleased', 'LinesBilled']);
    expect(events[0]?.data).toMatchObject({
      billNumber: 1,
      rebill: true,
      lineIds: lines.map(({ lineId }) => lineId),
      net: '3000',
    });
    expect(events[1]?.data).toMatchObject({ billNumber: 2, cause: 'rebill', lines, net: '3000' });
    const after = given(() => [...start({ status: 'none' }), ...events]) as StartedSubscription;
    expect(after.billed.map(({ billNumber, line }) => [billNumber, line.lineId])).toEqual([[2, lines[0]?.lineId]]);
    expect(outstandingLines(after)).toEqual([]);
    expect(linesOf(doubled(after)).map(({ net }) => net)).toEqual(['-1000', '2000']);
  });

  it('or is waived: not charged again, and nothing of it is given back', () => {
    const events = releasing(false)(state);
    expect(events.map(({ type }) => type)).toEqual(['BillReleased']);
    const after = given(start, releasing(false)) as StartedSubscription;
    expect(outstandingLines(after)).toEqual([]);
    const changed = linesOf(doubled(after));
    expect(changed.map(({ net }) => net)).toEqual(['0', '2000']);
    expect(changed[0]?.rule.credit).toEqual({ basis: 're-rate', netSoFar: '3000', waived: true });
  });

  it('can be one of a subscription that has ended, and must exist', () => {
    const ended = given(start, (s) => cancelNow(s, { credit: 'none' }, at('2026-01-05')));
    expect(releasing(true)(ended).map(({ type }) => type)).toEqual(['BillReleased', 'LinesBilled']);
    expect(refusal(() => releaseBill(state, { billNumber: 2, lines, rebill: true }, at('2026-01-02')))).toBe(
      'bill-not-found',
    );
    expect(refusal(() => releaseBill(state, { billNumber: 0, lines, rebill: true }, at('2026-01-02')))).toBe(
      'bill-not-found',
    );
    expect(refusal(() => releasing(true, '2026-01-31')(state))).toBe('boundary-due');
  });
});
