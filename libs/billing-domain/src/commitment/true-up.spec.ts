import fc from 'fast-check';
import { propertyRuns } from '../../../../test/support/property-runs';
import { presets, type BillingRules } from '../billing-rules';
import { changeItems, changeQuantity } from '../subscription/change-items';
import { cancelNow } from '../subscription/cancel';
import { at, catchUp, given, linesOf, refusal, startOn, type Decision } from '../subscription/decisions.fixture';
import { outstandingLines } from '../subscription/outstanding';
import { pause, resume } from '../subscription/pause';
import { bill } from '../subscription/bill';
import { notStarted, type StartedSubscription, type Subscription } from '../subscription/state';
import { releaseBill } from '../subscription/release-bill';
import { addLineItem } from '../subscription/subscription';
import type { Line } from '../line';
import { commitmentEdit } from './bounds';
import { aboveMaximums, feesOf } from './true-up';

const month = { unit: 'month', count: 1 } as const;
const committed = (
  commitment: { minimum?: string; maximum?: string },
  item: Parameters<typeof startOn>[2] = {},
  changes: Parameters<typeof startOn>[1] = {},
) => startOn('2026-01-01', { interval: month, commitment, ...changes }, { unitPrice: '5000', ...item });
/** Kind, service and net of each line. */
const shown = (lines: readonly Line[]) => lines.map(({ kind, service, net }) => [kind, service.from, service.to, net]);
const after = (state: Subscription, now: string) => shown(linesOf(catchUp(now)(state)));

// Found by the simulated book: two periods that meet within a day each counted the other's usage of that day.
it('counts the usage of its own period among the fees, not that of another one on the same date', () => {
  const usageOf = (periodNumber: number, net: string) => {
    const usage = { meter: 'calls', periodNumber, from: '', to: '' };
    return {
      kind: 'usage',
      net,
      service: { from: '2026-01-10', to: '2026-01-11' },
      rule: { usage },
    } as unknown as Line;
  };
  const date = (each: string) => ({ date: each, at: '' });
  const period = { from: date('2026-01-10'), to: date('2026-02-01'), periodNumber: 2 };
  expect(feesOf([usageOf(1, '13'), usageOf(2, '500')], period)).toBe(500n);
});

// 50.00 came back for a period that nobody had paid for.
it('limits by a maximum what is charged, not what is waived, and leaves a true-up alone that is waived', () => {
  const waive =
    (billNumber: number, lines: readonly Line[], now: string): Decision =>
    (s) =>
      releaseBill(s, { billNumber, lines, rebill: false }, at(now));
  const advance = committed({ maximum: '3000' });
  const bill1 = linesOf(advance(notStarted));
  expect(after(given(advance), '2026-02-01')).toEqual([
    ['recurring', '2026-02-01', '2026-03-01', '5000'],
    ['maximum', '2026-01-01', '2026-02-01', '-2000'],
  ]);
  expect(after(given(advance, waive(1, bill1, '2026-01-10')), '2026-02-01')).toEqual([
    ['recurring', '2026-02-01', '2026-03-01', '5000'],
  ]);

  // 40.00 were added and are charged: 30.00 of them.
  const more: Decision = (s) =>
    changeItems(
      s,
      {
        edits: [
          { kind: 'put', item: { componentKey: 'more', description: 'More', unitPrice: '4000', timing: 'arrears' } },
        ],
        when: { effectiveOn: '2026-01-01' },
      },
      at('2026-01-10'),
    );
  const trued = linesOf(catchUp('2026-02-01')(given(advance, waive(1, bill1, '2026-01-10'), more)));
  expect(trued.find(({ kind }) => kind === 'maximum')).toMatchObject({ net: '-1000', rule: { fees: '4000' } });

  const arrears = committed({ minimum: '9000' }, { timing: 'arrears' });
  const first = given(arrears, catchUp('2026-02-01')) as StartedSubscription;
  const bill = first.billed.map(({ line }) => line);
  expect(shown(bill)).toEqual([
    ['recurring', '2026-01-01', '2026-02-01', '5000'],
    ['minimum', '2026-01-01', '2026-02-01', '4000'],
  ]);
  const doubled: Decision = (s) =>
    changeQuantity(
      s,
      { itemId: 'base', quantity: '2', when: { effectiveOn: '2026-01-01' }, billing: 'now' },
      at('2026-02-02'),
    );
  expect(shown(linesOf(doubled(first)))).toContainEqual(['correction', '2026-01-01', '2026-02-01', '-4000']);
  const waived = given(arrears, catchUp('2026-02-01'), waive(1, bill, '2026-02-01'));
  expect(shown(linesOf(doubled(waived)))).toEqual([
    ['correction', '2026-01-01', '2026-02-01', '0'],
    ['recurring', '2026-01-01', '2026-02-01', '10000'],
  ]);
});

// It stated the second period's as a correction of the first one's, and charged only what it came to more.
it('is of its own period where seconds count, and the subscription was paused twice on one date', () => {
  const rules = { ...presets.perennial, prorationUnit: 'second' } as const;
  const pauseAt =
    (time: string): Decision =>
    (s) =>
      pause(s, { credit: 'none' }, at(`2026-01-10T${time}:00.000Z`));
  const resumeAt =
    (time: string): Decision =>
    (s) =>
      resume(s, { anchor: 'keep' }, at(`2026-01-10T${time}:00.000Z`));
  const trueUps = (commitment: { minimum?: string; maximum?: string }, unitPrice: string) => {
    const decisions = [
      committed(commitment, { unitPrice, timing: 'arrears' }, { rules }),
      ...[
        pauseAt('01:00'),
        resumeAt('02:00'),
        pauseAt('03:00'),
        resumeAt('04:00'),
        pauseAt('06:00'),
        resumeAt('07:00'),
      ],
      catchUp('2026-02-01'),
    ];
    const events = decisions.flatMap((_, i) => decisions[i]?.(given(...decisions.slice(0, i))) ?? []);
    const lines = linesOf(events).filter(({ rule }) => rule.fees !== undefined);
    expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length);
    return lines.map(({ kind, net }) => [kind, net]);
  };
  // 10.00 an hour: nine days and an hour, an hour, two hours, and from seven o'clock to the end of January.
  expect(trueUps({ minimum: '744000' }, '0')).toEqual([
    ['minimum', '217000'],
    ['minimum', '1000'],
    ['minimum', '2000'],
    ['minimum', '521000'],
  ]);
  expect(trueUps({ maximum: '74400' }, '744000')).toEqual([
    ['maximum', '-195300'],
    ['maximum', '-900'],
    ['maximum', '-1800'],
    ['maximum', '-468900'],
  ]);
});

describe('a minimum', () => {
  it('is brought up on the bill that closes the period, with what was billed in advance for it', () => {
    const second = { componentKey: 'seats', description: 'Seats', unitPrice: '2000', timing: 'arrears' } as const;
    const state = given(committed({ minimum: '10000' }, {}, { items: [second] }));
    const lines = linesOf(catchUp('2026-02-01')(state));
    // billing-model.md §5: advance base 50.00 and 20.00 at the end against a minimum of 100.00: true-up 30.00
    expect(shown(lines)).toEqual([
      ['recurring', '2026-01-01', '2026-02-01', '2000'],
      ['recurring', '2026-02-01', '2026-03-01', '5000'],
      ['minimum', '2026-01-01', '2026-02-01', '3000'],
    ]);
    expect(lines[2]).toMatchObject({
      description: 'Minimum commitment',
      quantity: '1',
      unitPrice: '10000',
      discountable: false,
      rule: { name: 'minimum', fraction: { numerator: '31', denominator: '31' }, fees: '7000' },
    });
  });

  it('asks for nothing where the fees come to it, nor of one-time charges, which are no fees', () => {
    expect(after(given(committed({ minimum: '5000' })), '2026-02-01')).toHaveLength(1);
    const item: Decision = (s) =>
      addLineItem(s, { lineItemId: 'a', description: 'Work', unitPrice: '9999' }, at('2026-01-05'));
    expect(after(given(committed({ minimum: '5001' }), item), '2026-02-01')).toContainEqual([
      'minimum',
      '2026-01-01',
      '2026-02-01',
      '1',
    ]);
  });

  it('holds for the part of the period that there was', () => {
    const until = (end: string, item: Parameters<typeof startOn>[2]) =>
      shown(linesOf(cancelNow(given(committed({ minimum: '10000' }, item)), { credit: 'prorated' }, at(end))));
    // 14 of 31 days: 45.16, of which the base is 22.58
    expect(until('2026-01-15', { timing: 'arrears' })).toEqual([
      ['recurring', '2026-01-01', '2026-01-15', '2258'],
      ['minimum', '2026-01-01', '2026-01-15', '2258'],
    ]);
    expect(until('2026-01-15', {})).toEqual([
      ['correction', '2026-01-15', '2026-02-01', '-2742'],
      ['minimum', '2026-01-01', '2026-01-15', '2258'],
    ]);
  });

  // Lago spending_minimum_spec.rb (COM-03): minimum 10.00; 7.00 in a full month; 8.00 when it ends on day 25 of 28
  it.each([
    ['2026-01-01', '700', '2026-02-01', '300'],
    ['2026-02-01', '896', '2026-02-25', '93'],
  ])('of a charge, from %s at %s, canceled %s: %s', (start, unitPrice, end, net) => {
    const charge = { timing: 'arrears', price: { model: 'flat', unitPrice, minimum: '1000' } } as const;
    const state = given(startOn(start, { interval: month, rules: presets.lago }, charge));
    const lines = linesOf(end === '2026-02-01' ? catchUp(end)(state) : cancelNow(state, { credit: 'none' }, at(end)));
    expect(lines.find(({ kind }) => kind === 'minimum')).toMatchObject({ net, itemId: 'base' });
  });

  it('of one item counts towards that over all', () => {
    const price = { model: 'flat', unitPrice: '700', minimum: '1000' } as const;
    const state = given(committed({ minimum: '1500' }, { price }));
    const lines = linesOf(catchUp('2026-02-01')(state)).filter(({ kind }) => kind === 'minimum');
    expect(lines.map(({ itemId, net }) => [itemId, net])).toEqual([
      ['base', '300'],
      [undefined, '500'],
    ]);
  });

  it('says what it is for: of one item with its texts and taxes, over all with its own', () => {
    const price = { model: 'flat', unitPrice: '700', minimum: '1000' } as const;
    const item = { price, taxCode: 'digital', taxBehaviour: 'exclusive', timing: 'arrears' } as const;
    const trueUps = (rules: BillingRules) => {
      const events = catchUp('2026-02-01')(given(committed({ minimum: '1500' }, item, { rules })));
      return linesOf(events).filter(({ kind }) => kind === 'minimum');
    };
    const made = trueUps(presets.perennial);
    const common = { kind: 'minimum', service: { from: '2026-01-01', to: '2026-02-01' }, quantity: '1', change: 0 };
    const fraction = { numerator: '31', denominator: '31' };
    const rule = { name: 'minimum', fraction, rounding: 'half-away-from-zero' };
    expect(made).toStrictEqual([
      {
        ...common,
        lineId: made[0]?.lineId,
        itemId: 'base',
        description: 'Base',
        unitPrice: '1000',
        net: '300',
        taxCode: 'digital',
        taxBehaviour: 'exclusive',
        discountable: false,
        rule: { ...rule, fees: '700' },
        metadata: {},
      },
      {
        ...common,
        lineId: made[1]?.lineId,
        description: 'Minimum commitment',
        unitPrice: '1500',
        net: '500',
        taxCode: null,
        taxBehaviour: 'unspecified',
        discountable: false,
        rule: { ...rule, fees: '1000' },
        metadata: {},
      },
    ]);
    // A rule that rounds the fraction says so on the line.
    expect(trueUps(presets['kill-bill']).map((line) => line.rule.fractionDigits)).toEqual([9, 9]);
  });

  it('a true-up that is corrected says what it comes to now and what it was', () => {
    const state = given(committed({ minimum: '10000' }), catchUp('2026-02-01'));
    const change = { itemId: 'base', quantity: '3', when: { effectiveOn: '2026-01-01' } } as const;
    const [trueUp] = linesOf(catchUp('2026-02-01')(given(committed({ minimum: '10000' })))).slice(-1);
    const line = linesOf(changeQuantity(state, change, at('2026-02-03'))).at(-1);
    expect(line).toStrictEqual({
      lineId: line?.lineId,
      kind: 'correction',
      description: 'Minimum commitment',
      service: { from: '2026-01-01', to: '2026-02-01' },
      quantity: '1',
      unitPrice: '10000',
      net: '-5000',
      taxCode: null,
      taxBehaviour: 'unspecified',
      discountable: false,
      corrects: trueUp?.lineId,
      change: 1,
      rule: {
        name: 'minimum',
        fraction: { numerator: '31', denominator: '31' },
        rounding: 'half-away-from-zero',
        fees: '15000',
        credit: { basis: 're-rate', netSoFar: '5000' },
      },
      metadata: {},
    });
  });

  it('follows fees that change afterwards', () => {
    const state = given(committed({ minimum: '10000' }), catchUp('2026-02-01'));
    const backdated =
      (quantity: string): Decision =>
      (s) =>
        changeQuantity(s, { itemId: 'base', quantity, when: { effectiveOn: '2026-01-01' } }, at('2026-02-03'));
    const more = backdated('3')(state);
    const lines = linesOf(more);
    expect(lines.filter(({ service }) => service.to === '2026-02-01').map(({ kind, net }) => [kind, net])).toEqual([
      ['correction', '-5000'],
      ['recurring', '15000'],
      ['correction', '-5000'],
    ]);
    expect(lines.at(-1)).toMatchObject({ rule: { name: 'minimum', fees: '15000', credit: { netSoFar: '5000' } } });
    const back = linesOf(backdated('1')(given(() => [...stateEvents, ...more]))).filter(
      ({ service }) => service.to === '2026-02-01',
    );
    expect(back.reduce((sum, { net }) => sum + BigInt(net), 0n)).toBe(-5000n);
  });
  const stateEvents = (() => {
    const begun = committed({ minimum: '10000' })(notStarted);
    return [...begun, ...catchUp('2026-02-01')(given(() => begun))];
  })();

  it('that changes at a boundary holds for the period that begins there', () => {
    const higher: Decision = (s) =>
      changeItems(s, { edits: [{ kind: 'commitment', minimum: '20000' }], when: 'period-end' }, at('2026-01-10'));
    const minimums = after(given(committed({ minimum: '10000' }), higher), '2026-04-01').filter(
      ([kind]) => kind === 'minimum',
    );
    expect(minimums.map(([, , , net]) => net)).toEqual(['5000', '15000', '15000']);
    const gone: Decision = (s) =>
      changeItems(s, { edits: [{ kind: 'commitment', minimum: null }], when: 'period-end' }, at('2026-01-10'));
    expect(after(given(committed({ minimum: '10000' }), gone), '2026-03-01').map(([kind]) => kind)).toEqual([
      'recurring',
      'minimum',
      'recurring',
    ]);
  });

  it('that changes within a period holds for its time: 100.00 for 14 days and 200.00 for 17 of 31', () => {
    const higher: Decision = (s) =>
      changeItems(s, { edits: [{ kind: 'commitment', minimum: '20000' }] }, at('2026-01-15'));
    const line = linesOf(catchUp('2026-02-01')(given(committed({ minimum: '10000' }), higher))).at(-1);
    // (14 × 100.00 + 17 × 200.00) ÷ 31 = 154.84
    expect(line).toMatchObject({ kind: 'minimum', net: '10484', unitPrice: '0' });
    expect(line?.parts?.map(({ quantity, unitPrice }) => [quantity, unitPrice])).toEqual([
      ['14', '10000'],
      ['17', '20000'],
    ]);
  });

  it('holds for each piece beside a pause', () => {
    const paused: Decision = (s) => pause(s, { credit: 'none' }, at('2026-01-11'));
    const resumed: Decision = (s) => resume(s, { anchor: 'keep' }, at('2026-01-21'));
    const state = given(committed({ minimum: '31000' }, { unitPrice: '3100' }), paused);
    // 10 days: 100.00 of which 10.00 are paid; 11 days: 110.00 of which 11.00 are.
    expect(state).toMatchObject({ billed: [{}, { line: { kind: 'minimum', net: '9000' } }] });
    expect(
      after(
        given(() => (resumed(state).length ? allOf(state, resumed) : [])),
        '2026-02-01',
      ).at(-1),
    ).toEqual(['minimum', '2026-01-21', '2026-02-01', '9900']);
    function allOf(_: Subscription, last: Decision) {
      const begun = committed({ minimum: '31000' }, { unitPrice: '3100' })(notStarted);
      const stopped = [...begun, ...paused(given(() => begun))];
      return [...stopped, ...last(given(() => stopped))];
    }
  });

  it('stays on the bill when its invoice is void, and goes on the next one with the other lines', () => {
    const state = given(committed({ minimum: '10000' }), catchUp('2026-02-01'));
    const { billed } = state as StartedSubscription;
    const lines = billed.filter(({ billNumber }) => billNumber === 2).map(({ line }) => line);
    const released = releaseBill(state, { billNumber: 2, lines, rebill: true }, at('2026-02-02'));
    expect(shown(linesOf(released))).toEqual(shown(lines));
  });

  it('is refused above its maximum, below zero and beyond what a line can hold', () => {
    const asked = (commitment: object) => refusal(() => committed(commitment)(notStarted));
    expect(asked({ minimum: '2', maximum: '1' })).toBe('invalid-price');
    expect(asked({ minimum: '-1' })).toBe('negative-amount');
    expect(asked({ minimum: `1${'0'.repeat(16)}` })).toBe('amount-out-of-range');
    const most = `1${'0'.repeat(15)}`;
    expect(commitmentEdit({ minimum: most, maximum: null })).toStrictEqual({ minimum: most, maximum: null });
    expect(commitmentEdit({ discountableTrueUps: false })).toStrictEqual({ discountableTrueUps: false });
    expect(commitmentEdit({ maximum: '1.50' })).toStrictEqual({ maximum: '1.5' });
    const change = (edits: Parameters<typeof changeItems>[1]['edits'], when: 'now' | 'period-end'): Decision => {
      return (s) => changeItems(s, { edits, when }, at('2026-01-10'));
    };
    const state = given(
      committed({ maximum: '10000' }),
      change([{ kind: 'commitment', minimum: '9000' }], 'period-end'),
    );
    // What is scheduled must still be possible when its time comes.
    expect(refusal(() => change([{ kind: 'commitment', maximum: '8000' }], 'now')(state))).toBe('invalid-price');
    expect(refusal(() => change([{ kind: 'commitment', maximum: '8000' }], 'period-end')(state))).toBe('invalid-price');
    expect(change([{ kind: 'commitment', minimum: '9000' }], 'period-end')(state)).toEqual([]);
    expect(change([{ kind: 'commitment', maximum: '10000' }], 'now')(state)).toEqual([]);
  });
});

describe('a maximum', () => {
  it('takes back what is above it, once', () => {
    const state = given(committed({ maximum: '4000' }));
    const lines = linesOf(catchUp('2026-02-01')(state));
    expect(shown(lines).at(-1)).toEqual(['maximum', '2026-01-01', '2026-02-01', '-1000']);
    expect(lines.at(-1)).toMatchObject({
      description: 'Maximum spend',
      unitPrice: '4000',
      rule: { name: 'maximum', fees: '5000' },
    });
  });
});

describe('minimum and maximum', () => {
  it('bring every closed period within them whatever changes, and decided again add nothing', () => {
    const step = fc.record({
      days: fc.integer({ min: 1, max: 40 }),
      quantity: fc.integer({ min: 0, max: 6 }),
      back: fc.integer({ min: 0, max: 45 }),
      billing: fc.constantFrom('now' as const, 'next-bill' as const),
    });
    const timing = fc.constantFrom('advance' as const, 'arrears' as const);
    const bounds = fc.record({ low: fc.integer({ min: 0, max: 9000 }), width: fc.integer({ min: 0, max: 9000 }) });
    fc.assert(
      fc.property(timing, bounds, fc.array(step, { maxLength: 6 }), (when, { low, width }, steps) => {
        const commitment = { minimum: `${low}`, maximum: `${low + width}` };
        const events = committed(commitment, { timing: when, unitPrice: '3141' })(notStarted);
        let clock = Date.UTC(2026, 0, 1);
        const now = () => new Date(clock).toISOString();
        const run = (decide: Decision) => events.push(...decide(given(() => events)));
        for (const { days, quantity, back, billing } of steps) {
          clock += days * 86_400_000;
          run(catchUp(now()));
          const effectiveOn = new Date(clock - back * 86_400_000).toISOString().slice(0, 10);
          const change = { itemId: 'base', quantity: `${quantity}`, when: { effectiveOn }, billing };
          const made = refusal(() => run((s) => changeQuantity(s, change, now())));
          expect(made).toMatch(/^decided|^before-correction-horizon/);
        }
        clock += 70 * 86_400_000;
        run(catchUp(now()));
        const lines = linesOf(events);
        expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length);
        const state = given(() => events) as StartedSubscription;
        const closed = events.flatMap((event) =>
          event.type === 'BillingPeriodOpened' ? [[event.data.from.slice(0, 10), event.data.to.slice(0, 10)]] : [],
        );
        for (const [from = '', to = ''] of closed.slice(0, -1)) {
          const within = lines.filter(({ service }) => service.from >= from && service.to <= to);
          const total = within.reduce((sum, { net }) => sum + BigInt(net), 0n);
          expect(total).toBeGreaterThanOrEqual(BigInt(low));
          expect(total).toBeLessThanOrEqual(BigInt(low + width));
        }
        expect(outstandingLines(state)).toEqual([]);
        expect(bill(state, 'change', state.periodNumber, now(), [])).toEqual([]);
      }),
      propertyRuns(300),
    );
  });
});

describe('what maximums take off', () => {
  const january = { from: '2026-01-01', to: '2026-02-01' };
  const moment = (date: string) => ({ date, at: at(date) });
  const period = { from: moment('2026-01-01'), to: moment('2026-02-01'), periodNumber: 1 };
  const line = (lineId: string, itemId: string | undefined, net: string, more: Partial<Line> = {}): Line => ({
    lineId,
    kind: 'recurring',
    ...(itemId !== undefined && { itemId }),
    description: 'x',
    service: january,
    quantity: '1',
    unitPrice: net,
    net,
    taxCode: null,
    taxBehaviour: 'unspecified',
    discountable: true,
    change: 0,
    rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
    metadata: {},
    ...more,
  });
  const maximum = (net: string, itemId?: string) => {
    const { rule } = line('', '', '0');
    return line(`max-${itemId}`, itemId, net, { kind: 'maximum', rule: { ...rule, name: 'maximum', fees: '0' } });
  };
  const usage = (lineId: string, itemId: string, net: string, periodNumber: number) => {
    const { rule } = line('', '', '0');
    const measured = { meter: 'm', periodNumber, from: at('2026-01-01'), to: at('2026-02-01') };
    return line(lineId, itemId, net, { kind: 'usage', rule: { ...rule, usage: measured } });
  };
  const taken = (...lines: Line[]) => Object.fromEntries(aboveMaximums(lines, { period, service: january }));

  it('is first that of the item off its lines, then that over all off what is left of each', () => {
    const lines = [
      line('a', 'x', '100'),
      line('b', 'y', '50'),
      usage('u', 'x', '60', 1),
      line('once', 'z', '500', { kind: 'one-time' }),
      line('back', 'y', '-20', { kind: 'correction', corrects: 'b' }),
    ];
    expect(taken(...lines)).toEqual({});
    expect(taken(...lines, maximum('-30', 'x'))).toEqual({ a: 19n, u: 11n });
    // Of 81, 49 and 30.
    expect(taken(...lines, maximum('-30', 'x'), maximum('-40'))).toEqual({ a: 39n, u: 23n, b: 8n });
    expect(taken(...lines, maximum('-40'), maximum('-30', 'x'))).toEqual({ a: 39n, u: 23n, b: 8n });
    expect(taken(...lines, maximum('-9999'))).toEqual({ a: 100n, b: 30n, u: 60n });
    expect(taken(...lines, maximum('-9999', 'z'))).toEqual({});
  });

  it('is none of a line that has come to nothing, or that is of another period', () => {
    expect(taken(line('a', 'x', '10'), line('zero', 'x', '0'), usage('u', 'x', '60', 2), maximum('-3', 'x'))).toEqual({
      a: 3n,
    });
    const back = line('back', 'x', '-10', { kind: 'correction', corrects: 'a' });
    expect(taken(line('a', 'x', '10'), line('b', 'x', '10'), back, maximum('-3', 'x'))).toEqual({ b: 3n });
  });

  it('is less where a minimum brought the item up, or what was taken was given back', () => {
    expect(taken(line('a', 'x', '10'), maximum('-3', 'x'), maximum('1', 'x'))).toEqual({ a: 2n });
    expect(taken(line('a', 'x', '10'), maximum('3', 'x'))).toEqual({});
  });

  it('goes on a tie to the service that begins earlier, then to the lower id', () => {
    const from = (date: string) => ({ service: { from: date, to: '2026-02-01' } });
    expect(taken(line('b', 'x', '5'), line('a', 'x', '5'), maximum('-3', 'x'))).toEqual({ a: 2n, b: 1n });
    expect(
      taken(line('a', 'x', '5', from('2026-01-20')), line('b', 'x', '5', from('2026-01-10')), maximum('-3', 'x')),
    ).toEqual({ b: 2n, a: 1n });
  });
});
