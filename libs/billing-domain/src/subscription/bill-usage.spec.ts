import { billUsage } from './bill-usage';
import { changeItems } from './change-items';
import { given, startOn } from './decisions.fixture';
import { rollOver } from './subscription';

describe('usage that waits for its seal', () => {
  it('is billed, and waits no longer, when a change has taken all meters out of its period since', () => {
    const calls = {
      kind: 'usage',
      itemId: 'calls',
      componentKey: 'calls',
      description: 'Calls',
      timing: 'arrears',
      meter: { key: 'calls', aggregation: 'count' },
      unitPrice: '1',
    } as const;
    const month = { unit: 'month', count: 1 } as const;
    const edits = [{ kind: 'remove', itemId: 'calls' }] as const;
    const state = given(
      startOn('2026-01-01', { interval: month, items: [calls], usageGraceHours: 72 }),
      (s) => rollOver(s, 1, '2026-02-01T00:00:00.000Z'),
      (s) => changeItems(s, { edits, when: { effectiveOn: '2026-01-01' } }, '2026-02-02T00:00:00.000Z'),
    );
    expect(billUsage(state, 1, undefined, '2026-02-04T00:00:00.000Z').map(({ type }) => type)).toEqual(['UsageBilled']);
  });
});
