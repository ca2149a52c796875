import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  addLineItem,
  amountOf,
  cancelNow,
  evolveSubscription,
  ONE,
  presets,
  price as checkedPrice,
  rate,
  rollOver,
  start,
  usageCut,
  type BillingRules,
  type NewItem,
  type NewLineItem,
  type PresetName,
  type Price,
  type StartSubscription,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';

/** What the net of a bill is; of the first one unless something else is said. */
interface Bill
  extends Pick<NewItem, 'quantity' | 'unitPrice' | 'price'>, Partial<Pick<StartSubscription, 'anchor' | 'interval'>> {
  readonly rules?: Partial<BillingRules> & { readonly preset?: PresetName };
  /** Default: 1 January 2026. */
  readonly startAt?: string;
  /** When it is canceled, with a prorated credit: the final bill. */
  readonly cancelAt?: string;
  /** Added on the first day: the bill at the end of the first period. */
  readonly lineItem?: Omit<NewLineItem, 'lineItemId'>;
  readonly net: string;
}

/** What records of usage come to over a whole period. */
interface Usage {
  readonly records: readonly string[];
  readonly price: Price;
  readonly net: string;
}

/** The instant before which usage is rated on the old terms. */
interface Cut {
  readonly changeAt: string;
  readonly rules: Partial<BillingRules>;
  readonly usageCut: string;
}

type Example = Bill | Usage | Cut | { readonly presets: object };

const docs = join(__dirname, '../../docs');
const pages = ['billing-rules.md', ...readdirSync(join(docs, 'prices')).map((file) => `prices/${file}`)].filter(
  (file) => file.endsWith('.md'),
);
const examplesOf = (page: string) =>
  [...readFileSync(join(docs, page), 'utf8').matchAll(/```json\n([^`]*)```/g)].map(
    ([, text = '']) => JSON.parse(text) as Example,
  );

function billed({
  rules = {},
  startAt = '2026-01-01T00:00:00.000Z',
  cancelAt,
  lineItem,
  net: _,
  ...example
}: Bill): string {
  const { preset = 'perennial', ...named } = rules;
  const { interval = { unit: 'month', count: 1 }, anchor, ...item } = example;
  const terms = {
    subscriptionId: '00000000-0000-5000-8000-000000000000',
    customerId: 'customer-1',
    currency: 'USD',
    timeZone: 'UTC',
    interval,
    anchor,
    item: { description: 'Base fee', timing: 'advance' as const, ...item },
    rules: { ...presets[preset], ...named },
  };
  const began = start({ status: 'none' }, terms, startAt);
  const fold = (state: Subscription, events: readonly SubscriptionEvent[]) =>
    events.reduce<Subscription>(evolveSubscription, state);
  const state = fold({ status: 'none' }, began);
  let events: SubscriptionEvent[] = began;
  if (cancelAt !== undefined) events = cancelNow(state, { credit: 'prorated' }, cancelAt);
  if (lineItem) {
    const added = addLineItem(state, { lineItemId: 'one', ...lineItem }, startAt);
    events = rollOver(fold(state, added), 1, '2026-02-01T00:00:00.000Z');
  }
  const bill = events.find(({ type }) => type === 'LinesBilled');
  return bill?.type === 'LinesBilled' ? bill.data.net : 'no bill';
}

describe.each(pages)('docs/%s', (page) => {
  const examples = examplesOf(page);

  it('has examples, but for the page that lists the others', () => {
    expect(examples.length > 0).toBe(page !== 'prices/README.md');
  });

  if (examples.length > 0)
    it.each(examples)('%j', (example) => {
      if ('presets' in example) expect(example.presets).toEqual(presets);
      else if ('usageCut' in example)
        expect(usageCut(example.changeAt, 'UTC', { ...presets.perennial, ...example.rules })).toBe(example.usageCut);
      else if ('records' in example)
        expect(amountOf(rate(checkedPrice(example.price), example), ONE).toString()).toBe(example.net);
      else expect(billed(example)).toBe(example.net);
    });
});

it('has an example of every field of the rules', () => {
  const fields = new Set(Object.values<object>(presets).flatMap((rules) => Object.keys(rules)));
  const shown = examplesOf('billing-rules.md').flatMap((example) =>
    'rules' in example ? Object.keys(example.rules ?? {}) : [],
  );
  expect([...fields].filter((field) => !shown.includes(field))).toEqual([]);
});
