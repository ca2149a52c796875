import { presets } from '../billing-rules';
import { changeBillingCycle } from './change-billing-cycle';
import { changeItems, changeQuantity, undoScheduledChange, type ChangeItems } from './change-items';
import { at, billed, catchUp, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { evolve, type StartedSubscription } from './state';
import { cancelNow, scheduleCancellation } from './cancel';
import { pause, resume } from './pause';
import { addLineItem } from './subscription';

const month = { unit: 'month', count: 1 } as const;
const seats =
  (quantity: string, on: string, more: Partial<ChangeItems> = {}): Decision =>
  (state) =>
    changeQuantity(state, { itemId: 'base', quantity, billing: 'now', ...more }, at(on));
const priced =
  (unitPrice: string, on: string, more: Partial<ChangeItems> = {}, quantity = '1'): Decision =>
  (state) =>
    changeItems(
      state,
      {
        edits: [{ kind: 'put', item: { description: 'Plan', unitPrice, quantity, timing: 'advance' } }],
        billing: 'now',
        ...more,
      },
      at(on),
    );
/** Everything billed by decisions after one another. */
function all(...decisions: readonly Decision[]): SubscriptionEvent[] {
  let events: SubscriptionEvent[] = [];
  given(
    ...decisions.map((decide): Decision => (state) => {
      const made = decide(state);
      events = [...events, ...made];
      return made;
    }),
  );
  return events;
}
const nets = (events: readonly SubscriptionEvent[]) => linesOf(events).map(({ kind, net }) => `${kind} ${net}`);
const sum = (events: readonly SubscriptionEvent[]) =>
  linesOf(events).reduce((total, { net }) => total + BigInt(net), 0n);

describe('a change now', () => {
  it('takes back the rest at the old price, and charges it at the new one', () => {
    // 30.00 per 30 days, two from day 11 on
    const events = seats('2', '2026-01-11T15:00:00.000Z')(given(startOn('2026-01-01')));
    expect(events.map(({ type }) => type)).toEqual(['ItemsChanged', 'LinesBilled']);
    expect(events[1]?.data).toMatchObject({ cause: 'change', periodNumber: 1, billNumber: 2, net: '2000' });
    expect(linesOf(events)).toMatchObject([
      {
        kind: 'correction',
        service: { from: '2026-01-11', to: '2026-01-31' },
        quantity: '1',
        unitPrice: '3000',
        net: '-2000',
        corrects: linesOf(startOn('2026-01-01')({ status: 'none' }))[0]?.lineId,
        change: 1,
        rule: {
          name: 'flat',
          fraction: { numerator: '10', denominator: '30' },
          credit: { basis: 're-rate', netSoFar: '3000' },
        },
      },
      { kind: 'recurring', service: { from: '2026-01-11', to: '2026-01-31' }, quantity: '2', net: '4000', change: 1 },
    ]);
  });

  it('re-rates what is kept: 13.33, kept 6.67, so −6.66', () => {
    // billing-model.md §5
    const added: ChangeItems = {
      edits: [{ kind: 'put', item: { componentKey: 'x', description: 'X', unitPrice: '2000', timing: 'advance' } }],
      billing: 'now',
    };
    const events = all(
      startOn('2026-01-01', {}, { unitPrice: '0' }),
      (s) => changeItems(s, added, at('2026-01-11')),
      (s) => changeItems(s, { edits: [{ kind: 'remove', itemId: 'x' }], billing: 'now' }, at('2026-01-21')),
    );
    expect(nets(events)).toEqual(['recurring 0', 'recurring 1333', 'correction -666']);
  });

  it('several on one day: each has its own lines, and their sum is that of the last', () => {
    // billing-model.md §3: seats 5 → 6 → 7
    const start = startOn('2026-01-01', {}, { quantity: '5', unitPrice: '100' });
    const day = '2026-01-11';
    const events = all(start, seats('6', `${day}T09:00:00.000Z`), seats('7', `${day}T10:00:00.000Z`), (s) =>
      cancelNow(s, { credit: 'prorated' }, at('2026-01-21')),
    );
    expect(nets(events)).toEqual([
      'recurring 500',
      'correction -333',
      'recurring 400',
      'correction -400',
      'recurring 467',
      'correction -234',
    ]);
    expect(new Set(linesOf(events).map(({ lineId }) => lineId)).size).toBe(6);
    expect(sum(events)).toBe(
      sum(all(start, seats('7', day), (s) => cancelNow(s, { credit: 'prorated' }, at('2026-01-21')))),
    );
  });

  it('waits for the next bill when it may, and then comes to the same', () => {
    const start = startOn('2026-01-01');
    const later = all(start, seats('2', '2026-01-11', { billing: 'next-bill' }), catchUp('2026-01-31'));
    expect(nets(later)).toEqual(['recurring 3000', 'correction -2000', 'recurring 4000', 'recurring 6000']);
    expect(billed(later).at(-1)).toEqual(['2026-01-31', '2026-03-02', '6000']);
    expect(sum(all(start, seats('2', '2026-01-11'), catchUp('2026-01-31')))).toBe(sum(later));
  });

  it('leaves the lines of other items alone, and pending line items on their bill', () => {
    const two = startOn('2026-01-01', {
      items: [{ componentKey: 'other', description: 'Other', unitPrice: '700', timing: 'advance' }],
    });
    const state = given(two, (s) =>
      addLineItem(s, { lineItemId: 'li-1', description: 'x', unitPrice: '5' }, at('2026-01-02')),
    );
    expect(linesOf(seats('2', '2026-01-11')(state)).map(({ itemId }) => itemId)).toEqual(['base', 'base']);
    expect(nets(catchUp('2026-01-31')(given(() => all(two, seats('2', '2026-01-11')))))).toEqual([
      'recurring 6000',
      'recurring 700',
    ]);
  });

  it('in arrears is charged at the end, on the terms of each day', () => {
    const events = all(
      startOn('2026-01-01', {}, { timing: 'arrears' }),
      seats('2', '2026-01-11'),
      catchUp('2026-01-31'),
    );
    expect(billed(events)).toEqual([
      ['2026-01-01', '2026-01-11', '1000'],
      ['2026-01-11', '2026-01-31', '4000'],
    ]);
  });

  it('is nothing when it is so already, and refused where it cannot be', () => {
    const state = given(startOn('2026-01-01'));
    expect(seats('1.0', '2026-01-11')(state)).toEqual([]);
    expect(seats('2', '2026-01-12')(given(() => all(startOn('2026-01-01'), seats('2', '2026-01-11'))))).toEqual([]);
    const refused = (decide: Decision, of = state) => refusal(() => decide(of));
    expect(refused((s) => changeQuantity(s, { itemId: 'y', quantity: '1' }, at('2026-01-02')))).toBe('item-not-found');
    expect(refused(seats('-1', '2026-01-02'))).toBe('negative-amount');
    expect(refused(seats('1000000000000000', '2026-01-02'))).toBe('amount-out-of-range');
    expect(refused(seats('2', '2026-01-31'))).toBe('boundary-due');
    expect(refused(seats('2', '2026-01-02', { billing: 'later' as 'now' }))).toBe('invalid-option');
    const again = {
      itemId: 'again',
      componentKey: 'base',
      description: 'x',
      unitPrice: '1',
      timing: 'advance',
    } as const;
    expect(refused((s) => changeItems(s, { edits: [{ kind: 'put', item: again }] }, at('2026-01-02')))).toBe(
      'duplicate-component',
    );
    const many = Array.from({ length: 20 }, (_, i) => ({ ...again, itemId: `${i}`, componentKey: `${i}` }));
    const edits = many.map((item) => ({ kind: 'put', item }) as const);
    expect(refused((s) => changeItems(s, { edits }, at('2026-01-02')))).toBe('too-many-items');
    const paused = given(startOn('2026-01-01'), (s) => pause(s, { credit: 'none' }, at('2026-01-05')));
    expect(refused(seats('2', '2026-01-06'), paused)).toBe('subscription-paused');
  });

  it('refuses when the bills could outgrow what is kept', () => {
    let state = given(startOn('2026-01-01', { interval: { unit: 'day', count: 3000 } }));
    const all20 = (quantity: string) =>
      Array.from({ length: 20 }, (_, i) => ({
        kind: 'put' as const,
        item: {
          componentKey: i === 0 ? 'base' : `c${i}`,
          description: 'x'.repeat(500),
          unitPrice: '1000',
          timing: 'advance' as const,
          quantity,
        },
      }));
    let refused = '';
    for (let n = 2; refused === '' && n < 100; n += 1) {
      try {
        state = changeItems(state, { edits: all20(`${n}`), billing: 'now' }, at('2026-01-02')).reduce(evolve, state);
      } catch (error) {
        refused = (error as { code: string }).code;
      }
    }
    expect(refused).toBe('billing-period-full');
    expect(JSON.stringify(state).length).toBeLessThan(900_000);
    expect(JSON.stringify(cancelNow(state, { credit: 'prorated' }, at('2026-01-03'))).length).toBeLessThan(350_000);
  });
});

describe('a change at the period end', () => {
  // Kill Bill TestWithQuantityUpdate: 29.95 × 7, then × 10, without proration
  it('charges the next period on the new terms', () => {
    const start = startOn('2022-11-27', { interval: month }, { unitPrice: '2995', quantity: '7' });
    const events = all(start, seats('10', '2022-12-05', { when: 'period-end' }), catchUp('2022-12-27'));
    expect(billed(events)).toEqual([
      ['2022-11-27', '2022-12-27', '20965'],
      ['2022-12-27', '2023-01-27', '29950'],
    ]);
    expect(events.map(({ type }) => type).slice(-4)).toEqual([
      'BillingPeriodClosed',
      'ItemsChanged',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
  });

  it('can be taken back, adds up with those before, and goes with a cancellation', () => {
    const start = startOn('2026-01-01');
    const put = (componentKey: string) =>
      ({ componentKey, description: 'x', unitPrice: '1', timing: 'advance' }) as const;
    const adding =
      (key: string): Decision =>
      (s) =>
        changeItems(s, { edits: [{ kind: 'put', item: put(key) }], when: 'period-end' }, at('2026-01-03'));
    const state = given(start, seats('2', '2026-01-02', { when: 'period-end' }), adding('a'));
    expect(adding('a')(state)).toEqual([]);
    expect(nets(catchUp('2026-01-31')(state))).toEqual(['recurring 6000', 'recurring 1']);
    // What a caller hands in may be of a class: an event holds plain data.
    const removal = Object.assign(Object.create({}) as object, { kind: 'remove', itemId: 'base' } as const);
    const [removed] = changeItems(given(start), { edits: [removal], when: 'period-end' }, at('2026-01-03'));
    const edits = removed?.type === 'ItemsChangeScheduled' ? removed.data.edits : [];
    expect(edits.map((edit) => Object.getPrototypeOf(edit) === Object.prototype)).toEqual([true]);
    const undo: Decision = (s) => undoScheduledChange(s, at('2026-01-04'));
    expect(undo(given(start))).toEqual([]);
    const undone = given(() => all(start, adding('a'), undo));
    expect(nets(catchUp('2026-01-31')(undone))).toEqual(['recurring 3000']);
    expect(undo(undone)).toEqual([]);
    const paused = given(() => all(start, adding('a'), (s) => pause(s, { credit: 'none' }, at('2026-01-05'))));
    expect(undo(paused).map(({ type, data }) => [type, data.effectiveAt])).toEqual([
      ['ItemsChangeUnscheduled', '2026-01-05T00:00:00.000Z'],
    ]);
    // What was scheduled is still possible after a change now, or that is refused.
    const clash: ChangeItems = { edits: [{ kind: 'put', item: { ...put('a'), itemId: 'other' } }] };
    expect(refusal(() => changeItems(state, clash, at('2026-01-05')))).toBe('duplicate-component');
    const canceling = given(start, (s) => scheduleCancellation(s, at('2026-01-02')));
    expect(refusal(() => adding('a')(canceling))).toBe('cancellation-scheduled');
    const ended = given(() => all(start, adding('a'), (s) => cancelNow(s, { credit: 'none' }, at('2026-01-05'))));
    expect((ended as StartedSubscription).scheduledEdits).toEqual([]);
  });
});

describe('a backdated change', () => {
  it('corrects the open period and the one before, to the horizon and no further', () => {
    const start = startOn('2026-01-01');
    const state = given(start, catchUp('2026-03-05'));
    expect((state as StartedSubscription).lastClosed?.from).toBe('2026-01-31T00:00:00');
    const events = seats('2', '2026-03-05', { when: { effectiveOn: '2026-02-15' }, billing: 'next-bill' })(state);
    expect(linesOf(events).map(({ kind, service, net }) => [kind, service.from, service.to, net])).toEqual([
      ['correction', '2026-02-15', '2026-03-02', '-1500'],
      ['correction', '2026-03-02', '2026-04-01', '-3000'],
      ['recurring', '2026-02-15', '2026-03-02', '3000'],
      ['recurring', '2026-03-02', '2026-04-01', '6000'],
    ]);
    const early = seats('2', '2026-03-05', { when: { effectiveOn: '2026-01-30' } });
    expect(refusal(() => early(state))).toBe('before-correction-horizon');
    expect(refusal(() => seats('2', '2026-03-05', { when: { effectiveOn: '2026-03-06' } })(state))).toBe(
      'invalid-option',
    );
    expect(linesOf(seats('2', '2026-03-05', { when: { effectiveOn: '2026-01-31' } })(state))).toHaveLength(4);
  });

  it('goes before a change that was made already, which stays', () => {
    const start = startOn('2026-01-01');
    const added: ChangeItems = {
      edits: [{ kind: 'put', item: { componentKey: 'x', description: 'X', unitPrice: '300', timing: 'advance' } }],
      when: { effectiveOn: '2026-01-11' },
      billing: 'now',
    };
    const events = all(start, seats('2', '2026-01-21'), (s) => changeItems(s, added, at('2026-01-25')));
    expect(linesOf(events).map(({ itemId, service, net }) => [itemId, service.from, net])).toEqual([
      ['base', '2026-01-01', '3000'],
      ['base', '2026-01-21', '-1000'],
      ['base', '2026-01-21', '2000'],
      ['x', '2026-01-11', '200'],
    ]);
    const lower = seats('1', '2026-01-26', { when: { effectiveOn: '2026-01-11' } });
    expect(sum(all(() => events, lower))).toBe(3200n);
  });
});

describe('credits', () => {
  it('of a pause: 30.00 per 30 days, paused on day 10 and resumed on day 20 gives −20.00, then +10.00', () => {
    // billing-model.md §1
    const pausing =
      (credit: 'none' | 'prorated'): Decision =>
      (s) =>
        pause(s, { credit }, at('2026-01-11'));
    const resuming: Decision = (s) => resume(s, { anchor: 'keep' }, at('2026-01-21'));
    const start = startOn('2026-01-01');
    expect(nets(all(start, pausing('prorated'), resuming))).toEqual([
      'recurring 3000',
      'correction -2000',
      'recurring 1000',
    ]);
    expect(nets(all(start, pausing('none'), resuming))).toEqual(['recurring 3000']);
  });

  it('of a pause and resume on one day, twice: nothing is lost and no line is another', () => {
    const both = (hour: string): Decision[] => [
      (s) => pause(s, { credit: 'prorated' }, `2026-01-01T${hour}:10:00.000Z`),
      (s) => resume(s, { anchor: 'keep' }, `2026-01-01T${hour}:20:00.000Z`),
    ];
    const events = all(startOn('2026-01-01'), ...both('09'), ...both('10'), catchUp('2026-01-31'));
    expect(sum(events)).toBe(6000n);
    expect(new Set(linesOf(events).map(({ lineId }) => lineId)).size).toBe(linesOf(events).length);
  });

  it('of a cancellation while it is paused: the days after it', () => {
    const events = all(
      startOn('2026-01-01'),
      (s) => pause(s, { credit: 'none' }, at('2026-01-11')),
      (s) => cancelNow(s, { credit: 'prorated' }, at('2026-01-21')),
    );
    expect(nets(events)).toEqual(['recurring 3000', 'correction -1000']);
  });

  it('below zero is a bill: 100.00 with 21 of 31 days left gives 67.74 back', () => {
    // billing-model.md §3
    const events = all(startOn('2026-01-01', { interval: month }, { unitPrice: '10000' }), (s) =>
      cancelNow(s, { credit: 'prorated' }, at('2026-01-11')),
    );
    expect(events.at(-1)?.data).toMatchObject({ cause: 'final', net: '-6774' });
  });

  it('may start the periods anew when it resumes', () => {
    const events = all(
      startOn('2026-01-01', { interval: month }),
      (s) => pause(s, { credit: 'prorated' }, at('2026-01-11')),
      (s) => resume(s, { anchor: 'restart' }, at('2026-01-21')),
    );
    expect(billed(events).at(-1)).toEqual(['2026-01-21', '2026-02-21', '3000']);
  });
});

describe('cases of public sources', () => {
  it('Kill Bill: monthly 249.95 to annual 2399.95 on 12 May with day 1 kept', () => {
    const start = startOn(
      '2012-05-01',
      { interval: month, anchor: { dayOfMonth: 1 }, rules: presets['kill-bill'] },
      { unitPrice: '24995' },
    );
    const annual: Decision = (s) =>
      changeBillingCycle(
        s,
        {
          interval: { unit: 'year', count: 1 },
          edits: [{ kind: 'put', item: { description: 'Annual', unitPrice: '239995', timing: 'advance' } }],
        },
        at('2012-05-12'),
      );
    const events = all(start, annual);
    expect(billed(events).slice(1)).toEqual([
      ['2012-05-12', '2012-06-01', '-16126'],
      ['2012-05-12', '2013-05-01', '232762'],
    ]);
    expect(billed(catchUp('2013-05-01')(given(() => events)))).toEqual([['2013-05-01', '2014-05-01', '239995']]);
  });

  it('a price that now holds for another interval is charged anew', () => {
    const events = all(startOn('2026-01-01', { interval: month }), (s) =>
      changeBillingCycle(s, { interval: { unit: 'year', count: 1 }, edits: [] }, at('2026-01-01T12:00:00.000Z')),
    );
    expect(billed(events).slice(1)).toEqual([
      ['2026-01-01', '2026-02-01', '-3000'],
      ['2026-01-01', '2027-01-01', '3000'],
    ]);
  });

  it('another day of month goes on from where it is paid', () => {
    const start = startOn('2016-04-01', { interval: month }, { unitPrice: '24995' });
    const moved: Decision = (s) => changeBillingCycle(s, { anchor: { dayOfMonth: 15 }, edits: [] }, at('2016-04-20'));
    const events = all(start, moved);
    expect(billed(events)).toEqual([
      ['2016-04-01', '2016-05-01', '24995'],
      ['2016-05-01', '2016-05-15', '11664'],
    ]);
    expect(moved(given(() => events))).toEqual([]);
  });

  // Found by the simulated book: the hours of 31 January up to 08:30 were charged again with the bill of February.
  it('in seconds keeps what is paid up to an hour of the day with which the next period begins', () => {
    const anchor = { localDateTime: '2023-12-31T08:30:00' };
    const events = all(
      startOn('2024-01-01', { interval: month, anchor, rules: presets.stripe }),
      (s) => changeBillingCycle(s, { anchor: { dayOfMonth: 31 }, edits: [] }, '2024-01-25T10:06:31.071Z'),
      catchUp('2024-03-31'),
    );
    expect(linesOf(events).map(({ rule }) => [rule.instants?.from, rule.instants?.to])).toEqual([
      ['2024-01-01T00:00:00.000Z', '2024-01-31T08:30:00.000Z'],
      ['2024-01-31T08:30:00.000Z', '2024-02-29T00:00:00.000Z'],
      ['2024-02-29T00:00:00.000Z', '2024-03-31T00:00:00.000Z'],
      ['2024-03-31T00:00:00.000Z', '2024-04-30T00:00:00.000Z'],
    ]);
  });

  // Lago terminate_manually_spec.rb, without its tax of 20 %
  it('Lago: 100.00 from 8 February, terminated on the 21st, which counts as used', () => {
    const start = startOn(
      '2025-02-08',
      { interval: month, anchor: { dayOfMonth: 1 }, rules: presets.lago },
      { unitPrice: '10000' },
    );
    const events = all(start, (s) => cancelNow(s, { credit: 'prorated' }, at('2025-02-21')));
    expect(nets(events)).toEqual(['recurring 7500', 'correction -2500']);
  });

  // docs.stripe.com: exactly half way, and a backdated start that imagines a month
  it('Stripe: counts seconds, and a stub against a month that begins with it', () => {
    const april = startOn('2026-04-01', { interval: month, rules: presets.stripe }, { unitPrice: '1000' });
    expect(nets(all(april, priced('2000', '2026-04-16')))).toEqual([
      'recurring 1000',
      'correction -500',
      'recurring 1000',
    ]);
    const noon = nets(all(april, priced('2000', '2026-04-15T12:00:00.000Z')));
    expect(noon).toEqual(['recurring 1000', 'correction -517', 'recurring 1033']);
    const stub = startOn(
      '2025-02-15',
      { interval: month, anchor: { dayOfMonth: 1 }, rules: presets.stripe },
      { unitPrice: '10000' },
    );
    expect(billed(all(stub))).toEqual([['2025-02-15', '2025-03-01', '5000']]);
  });

  // Flexprice calculator_test.go
  it('Flexprice: 17 of 31 days', () => {
    const march = startOn('2024-03-01', { interval: month, rules: presets.flexprice }, { unitPrice: '1000' });
    const events = all(march, priced('2000', '2024-03-15'));
    expect(nets(events).slice(1)).toEqual(['correction -548', 'recurring 1097']);
    const two = startOn(
      '2024-03-01',
      { interval: month, rules: presets.flexprice },
      { unitPrice: '5000', quantity: '2' },
    );
    expect(nets(all(two, priced('3000', '2024-03-15'))).slice(1)).toEqual(['correction -5484', 'recurring 1645']);
    const more: ChangeItems = {
      edits: [{ kind: 'put', item: { componentKey: 'x', description: 'X', unitPrice: '2500', timing: 'advance' } }],
      billing: 'now',
    };
    expect(nets(all(march, (s) => changeItems(s, more, at('2024-03-15')))).slice(1)).toEqual(['recurring 1371']);
    const forty = startOn('2024-03-01', { interval: month, rules: presets.flexprice }, { unitPrice: '4000' });
    const removed: ChangeItems = { edits: [{ kind: 'remove', itemId: 'base' }], billing: 'now' };
    expect(nets(all(forty, (s) => changeItems(s, removed, at('2024-03-15')))).slice(1)).toEqual(['correction -2194']);
  });

  // Meteroid proration.rs: [1 January, 31 January)
  it('Meteroid: 100.00 to 200.00, and 5 to 10 seats, at half period', () => {
    const thirty = { interval: { unit: 'day', count: 30 }, rules: presets.meteroid } as const;
    const start = startOn('2025-01-01', thirty, { unitPrice: '10000' });
    expect(nets(all(start, priced('20000', '2025-01-01'))).slice(1)).toEqual(['correction -10000', 'recurring 20000']);
    expect(nets(all(start, priced('20000', '2025-01-16'))).slice(1)).toEqual(['correction -5000', 'recurring 10000']);
    const five = startOn('2025-01-01', thirty, { unitPrice: '1000', quantity: '5' });
    expect(nets(all(five, seats('10', '2025-01-16'))).slice(1)).toEqual(['correction -2500', 'recurring 5000']);
  });

  // Kill Bill testRepairWithFullRemainingItemAdjustment
  it('Kill Bill: 2399.95 a year, cancelled after 30 days', () => {
    const annual = { interval: { unit: 'year', count: 1 }, rules: presets['kill-bill'] } as const;
    const events = all(startOn('2013-08-18', annual, { unitPrice: '239995' }), (s) =>
      cancelNow(s, { credit: 'prorated' }, at('2013-09-17')),
    );
    expect(nets(events)).toEqual(['recurring 239995', 'correction -220269']);
  });

  it('tiers over seats: the whole line is rated again', () => {
    const price = {
      model: 'graduated',
      tiers: [
        { upTo: '5', unitPrice: '700' },
        { upTo: null, unitPrice: '600', flatFee: '50' },
      ],
    } as const;
    const start = startOn('2026-01-01', {}, { price, quantity: '5' });
    const events = all(start, seats('7', '2026-01-16'));
    expect(nets(events)).toEqual(['recurring 3500', 'correction -1750', 'recurring 2375']);
    expect(linesOf(events)[2]?.parts).toHaveLength(3);
    expect(
      sum(
        all(
          () => events,
          (s) => cancelNow(s, { credit: 'prorated' }, at('2026-01-16T12:00:00.000Z')),
        ),
      ),
    ).toBe(1750n);
  });
});
