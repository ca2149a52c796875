import { presets } from '../billing-rules';
import { lineId } from '../ids';
import type { Line } from '../line';
import { changeItems, changeQuantity } from './change-items';
import { at, catchUp, given, linesOf, startOn, thirtyDays, type Decision } from './decisions.fixture';
import { pause, resume } from './pause';
import type { StartSubscription } from './start';
import { notStarted } from './state';
import type { NewItem } from './terms';

/* What the lines of recurring items say, whole: a reader recomputes each cent from the line alone. (billing-model.md §3) */

const month = { unit: 'month', count: 1 } as const;
const { subscriptionId } = thirtyDays;
const started = (changes: Partial<StartSubscription> = {}, item: Partial<NewItem> = {}): Decision =>
  startOn('2026-01-01', { interval: month, ...changes }, { unitPrice: '3100', ...item });
const changing =
  (on: string, ...edits: Parameters<typeof changeItems>[1]['edits']): Decision =>
  (s) =>
    changeItems(s, { edits, billing: 'now' }, at(on));
const base: NewItem = { description: 'Base', unitPrice: '3100', timing: 'advance' };
const put = (more: Partial<NewItem>) => ({ kind: 'put', item: { ...base, ...more } }) as const;
const january = { from: '2026-01-01', to: '2026-02-01' };
const rest = { from: '2026-01-11', to: '2026-02-01' };
const id = (kind: string, service: Line['service'], corrects: string | null, change: number) =>
  lineId(subscriptionId, 'base', kind, service, corrects, change);
const charge: Line = {
  lineId: id('recurring', january, null, 0),
  kind: 'recurring',
  itemId: 'base',
  description: 'Base',
  service: january,
  quantity: '1',
  unitPrice: '3100',
  net: '3100',
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  change: 0,
  rule: { name: 'flat', fraction: { numerator: '31', denominator: '31' }, rounding: 'half-away-from-zero' },
  metadata: {},
};
const doubled: Decision = (s) => changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, at('2026-01-11'));
const shown = (lines: readonly Line[]) => lines.map(({ kind, net }) => [kind, net]);

it('a charge says what it is for, and how it comes to its net', () => {
  expect(linesOf(started()(notStarted))).toStrictEqual([charge]);
  const taxed = { taxCode: 'digital', taxBehaviour: 'inclusive', discountable: false } as const;
  expect(linesOf(started({}, taxed)(notStarted))).toStrictEqual([{ ...charge, ...taxed }]);
});

it('a change gives back what is not kept, and charges the rest anew', () => {
  expect(linesOf(doubled(given(started())))).toStrictEqual([
    {
      ...charge,
      lineId: id('correction', rest, charge.lineId, 1),
      kind: 'correction',
      service: rest,
      net: '-2100',
      corrects: charge.lineId,
      change: 1,
      rule: {
        ...charge.rule,
        fraction: { numerator: '10', denominator: '31' },
        credit: { basis: 're-rate', netSoFar: '3100' },
      },
    },
    {
      ...charge,
      lineId: id('recurring', rest, null, 1),
      service: rest,
      quantity: '2',
      net: '4200',
      change: 1,
      rule: { ...charge.rule, fraction: { numerator: '21', denominator: '31' } },
    },
  ]);
});

it('what the rules do otherwise stands on each line', () => {
  const rules = (name: keyof typeof presets) =>
    [
      ...linesOf(started({ rules: presets[name] })(notStarted)),
      ...linesOf(doubled(given(started({ rules: presets[name] })))),
    ].map(({ kind, net, rule }) => [
      kind,
      net,
      rule.fractionDigits,
      rule.roundedPer,
      rule.instants,
      rule.credit?.basis,
      rule.fraction,
    ]);
  const whole = { numerator: '31', denominator: '31' };
  const left = { numerator: '21', denominator: '31' };
  expect(rules('kill-bill')).toEqual([
    ['recurring', '3100', 9, undefined, undefined, undefined, whole],
    ['correction', '-2100', 9, undefined, undefined, 'billed', left],
    ['recurring', '4200', 9, undefined, undefined, undefined, left],
  ]);
  expect(rules('meteroid')).toEqual([
    ['recurring', '3100', undefined, undefined, undefined, undefined, whole],
    ['correction', '-2100', undefined, undefined, undefined, 'current-price', left],
    ['recurring', '4200', undefined, undefined, undefined, undefined, left],
  ]);
  const seconds = (days: number) => ({ numerator: `${days * 86_400}`, denominator: `${31 * 86_400}` });
  const span = (from: string) => ({ from: at(from), to: at('2026-02-01') });
  expect(rules('openmeter')).toEqual([
    ['recurring', '3100', undefined, 'tier', span('2026-01-01'), undefined, seconds(31)],
    ['correction', '-2100', undefined, 'tier', span('2026-01-11'), 're-rate', seconds(10)],
    ['recurring', '4200', undefined, 'tier', span('2026-01-11'), undefined, seconds(21)],
  ]);
});

it('a tiered price states its parts on the charge, and on what is given back', () => {
  const tiers = [{ upTo: null, unitPrice: '3100' }];
  const [line, ...others] = linesOf(
    started({}, { unitPrice: undefined, price: { model: 'graduated', tiers } })(notStarted),
  );
  const parts = [{ tier: 0, per: 'unit', quantity: '1', unitPrice: '3100' }];
  expect(line).toStrictEqual({ ...charge, unitPrice: '0', parts, rule: { ...charge.rule, name: 'graduated' } });
  expect(others).toEqual([]);
  const [back] = linesOf(doubled(given(started({}, { unitPrice: undefined, price: { model: 'graduated', tiers } }))));
  expect(back).toMatchObject({ kind: 'correction', net: '-2100', parts, rule: { name: 'graduated' } });
});

describe('an item that becomes another', () => {
  it('is given back where it becomes a fee that is charged once', () => {
    const lines = linesOf(changing('2026-01-11', put({ kind: 'one-time' }))(given(started())));
    expect(shown(lines)).toEqual([
      ['correction', '-2100'],
      ['one-time', '3100'],
    ]);
    expect(lines[1]?.service).toEqual({ from: '2026-01-11', to: '2026-01-12' });
  });

  it('is given back where it bills for three periods, for which it is charged', () => {
    const lines = linesOf(changing('2026-01-11', put({ every: 3 }))(given(started())));
    expect(shown(lines)).toEqual([
      ['correction', '-2100'],
      // 80 of 90 days.
      ['recurring', '2756'],
    ]);
    expect(lines.at(-1)).toMatchObject({
      service: { from: '2026-01-11', to: '2026-04-01' },
      rule: { every: 3, fraction: { numerator: '80', denominator: '90' } },
    });
  });

  it('stays as it is billed where the price is the same of another model, or is billed later', () => {
    expect(shown(linesOf(changing('2026-01-11', put({ timing: 'arrears' }))(given(started()))))).toEqual([]);
    const perUnit = put({ unitPrice: undefined, price: { model: 'per-unit', unitPrice: '3100' } });
    expect(shown(linesOf(changing('2026-01-11', perUnit)(given(started()))))).toEqual([
      ['correction', '-2100'],
      ['recurring', '2100'],
    ]);
  });
});

describe('two items of other cadences in arrears', () => {
  const items = [2, 3].map((every) => ({
    ...base,
    itemId: `i${every}`,
    componentKey: `i${every}`,
    every,
    timing: 'arrears' as const,
  }));
  const lines = (...decisions: Decision[]) =>
    linesOf(decisions.at(-1)!(given(...decisions.slice(0, -1)))).flatMap(({ kind, itemId, service, net }) =>
      itemId === 'base' ? [] : [[kind, itemId, service.from, service.to, net]],
    );
  const start = started({ items });

  it('are each billed with their own cycle', () => {
    expect(lines(start, catchUp('2026-02-01'))).toEqual([]);
    expect(lines(start, catchUp('2026-02-01'), catchUp('2026-03-01'))).toEqual([
      ['recurring', 'i2', '2026-01-01', '2026-03-01', '3100'],
    ]);
    expect(lines(start, catchUp('2026-03-01'), catchUp('2026-04-01'))).toEqual([
      ['recurring', 'i3', '2026-01-01', '2026-04-01', '3100'],
    ]);
    expect(lines(start, catchUp('2026-04-01'), catchUp('2026-05-01'))).toEqual([
      ['recurring', 'i2', '2026-03-01', '2026-05-01', '3100'],
    ]);
  });

  it('are billed to the day of a pause, and from where they go on', () => {
    const paused: Decision = (s) => pause(s, { credit: 'none' }, at('2026-02-11'));
    // 41 of 59 and of 90 days.
    expect(lines(start, catchUp('2026-02-01'), paused)).toEqual([
      ['recurring', 'i2', '2026-01-01', '2026-02-11', '2154'],
      ['recurring', 'i3', '2026-01-01', '2026-02-11', '1412'],
    ]);
    const resumed: Decision = (s) => resume(s, { anchor: 'keep' }, at('2026-02-21'));
    expect(lines(start, catchUp('2026-02-01'), paused, resumed, catchUp('2026-03-01'))).toEqual([
      ['recurring', 'i2', '2026-02-21', '2026-03-01', '420'],
    ]);
  });

  it('that are changed within their cycle are billed in pieces, each at its price', () => {
    const change = changing('2026-02-11', { kind: 'quantity', itemId: 'i3', quantity: '2' });
    expect(lines(start, catchUp('2026-02-01'), change)).toEqual([]);
    expect(lines(start, catchUp('2026-02-01'), change, catchUp('2026-03-01'), catchUp('2026-04-01'))).toEqual([
      ['recurring', 'i3', '2026-01-01', '2026-02-11', '1412'],
      ['recurring', 'i3', '2026-02-11', '2026-04-01', '3376'],
    ]);
    const gone = changing('2026-02-11', { kind: 'remove', itemId: 'i3' });
    expect(lines(start, catchUp('2026-02-01'), gone, catchUp('2026-03-01'))).toEqual([
      ['recurring', 'i2', '2026-01-01', '2026-03-01', '3100'],
      ['recurring', 'i3', '2026-01-01', '2026-02-11', '1412'],
    ]);
  });
});
