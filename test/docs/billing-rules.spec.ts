import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  cancelNow,
  evolveSubscription,
  presets,
  start,
  type NewItem,
  type PresetName,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';

interface Example extends Pick<NewItem, 'quantity' | 'unitPrice' | 'price'> {
  readonly rules?: { readonly preset?: PresetName };
  /** When it is canceled, with a prorated credit; else the first bill is the one that is shown. */
  readonly cancelAt?: string;
  readonly net: string;
}

const page = readFileSync(join(__dirname, '../../docs/billing-rules.md'), 'utf8');
const examples = [...page.matchAll(/```json\n([^`]*)```/g)].map(([, text = '']) => JSON.parse(text) as Example);

describe('docs/billing-rules.md', () => {
  it('has examples', () => expect(examples.length).toBeGreaterThanOrEqual(7));

  it.each(examples)('%j', ({ rules = {}, cancelAt, net, ...item }) => {
    const { preset = 'perennial', ...named } = rules;
    const began = start(
      { status: 'none' },
      {
        subscriptionId: '00000000-0000-5000-8000-000000000000',
        customerId: 'customer-1',
        currency: 'USD',
        timeZone: 'UTC',
        interval: { unit: 'month', count: 1 },
        item: { description: 'Base fee', timing: 'advance', ...item },
        rules: { ...presets[preset], ...named },
      },
      '2026-01-01T00:00:00.000Z',
    );
    const state = began.reduce<Subscription>(evolveSubscription, { status: 'none' } as Subscription);
    const events: SubscriptionEvent[] = cancelAt ? cancelNow(state, { credit: 'prorated' }, cancelAt) : began;
    const bill = events.find(({ type }) => type === 'LinesBilled');
    expect(bill?.data).toMatchObject({ net });
  });
});
