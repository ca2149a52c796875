import { refusal } from '../subscription/decisions.fixture';
import {
  changeCustomer,
  createCustomer,
  customerType,
  eraseCustomer,
  evolveCustomer,
  withCustomer,
  type Customer,
  type CustomerChange,
  type CustomerTerms,
} from './customer';
import type { CustomerEvent } from './events';

const now = '2026-01-01T00:00:00.000Z';
const later = '2026-02-01T00:00:00.000Z';
const customerId = '0678fdb6-153d-5504-909b-9224e3ee9dc3';
const none = customerType.initial;
const terms: CustomerTerms = { currency: 'EUR', timeZone: 'Europe/Berlin' };
const full = {
  ...terms,
  externalId: 'acme',
  paymentTermsDays: 30,
  metadata: { crm: '7', tier: 'gold' },
  personal: { billTo: { name: 'Ada Lovelace' } },
};

type Decision = (state: Customer) => CustomerEvent[];
const given = (...decisions: readonly Decision[]) =>
  decisions.reduce<Customer>((state, decide) => decide(state).reduce(evolveCustomer, state), none);
const create =
  (more: Partial<typeof full> = {}, at = now): Decision =>
  (state) =>
    createCustomer(state, { customerId, ...terms, ...more }, at);
const change =
  (asked: CustomerChange, at = later): Decision =>
  (state) =>
    changeCustomer(state, asked, at);
const erase =
  (at = later): Decision =>
  (state) =>
    eraseCustomer(state, at);

describe('a customer is created', () => {
  it('with the least that is asked: due at once, no metadata, nobody named', () => {
    expect(create()(none)).toEqual([
      {
        type: 'CustomerCreated',
        data: { effectiveAt: now, customerId, ...terms, paymentTermsDays: 0, metadata: {} },
      },
    ]);
    expect(create()(none)[0]?.data).not.toHaveProperty('externalId');
    expect(create()(none)[0]?.data).not.toHaveProperty('personal');
    expect(given(create())).toEqual({
      status: 'active',
      changedAt: now,
      customerId,
      ...terms,
      paymentTermsDays: 0,
      metadata: {},
    });
  });

  it('with all that can be said of it, personal data as a field of its own that names whose it is', () => {
    const { personal, ...rest } = full;
    expect(create(full)(none)).toEqual([
      {
        type: 'CustomerCreated',
        data: { effectiveAt: now, customerId, ...rest, personal: { subject: customerId, clear: personal } },
      },
    ]);
  });

  it('once: the same again is refused, and an erased one for good', () => {
    expect(refusal(() => create()(given(create())))).toBe('customer-exists');
    expect(refusal(() => create()(given(create(), erase())))).toBe('customer-erased');
  });

  it.each<[Partial<typeof full>, string]>([
    [{ externalId: customerId }, 'invalid-external-id'],
    [{ externalId: '' }, 'invalid-text'],
    [{ externalId: 'x'.repeat(201) }, 'invalid-text'],
    [{ currency: 'EURO' }, 'unknown-currency'],
    [{ timeZone: 'Europe/Nowhere' }, 'unknown-time-zone'],
    [{ paymentTermsDays: 366 }, 'invalid-payment-terms'],
    [{ metadata: { crm: 'x'.repeat(501), tier: '' } }, 'invalid-metadata'],
    [{ personal: { billTo: { name: '' } } }, 'invalid-text'],
  ])('but not with %j: %s', (wrong, code) => {
    expect(refusal(() => create(wrong)(none))).toBe(code);
  });

  it('but not at a time that is none', () => {
    expect(refusal(() => create({}, '2026-01-01')(none))).toBe('invalid-instant');
  });

  it('with an external id as long as one can be, or a uuid that was not given here', () => {
    const fourth = '0678fdb6-153d-4504-909b-9224e3ee9dc3';
    for (const externalId of ['x'.repeat(200), fourth, customerId.toUpperCase()]) {
      expect(create({ externalId })(none)[0]?.data).toMatchObject({ externalId });
    }
  });
});

describe('a customer is changed', () => {
  const state = given(create(full));

  it.each<CustomerChange>([
    { currency: 'USD' },
    { timeZone: 'UTC' },
    { paymentTermsDays: 0 },
    { currency: 'USD', timeZone: 'UTC', paymentTermsDays: 365 },
  ])('in what is named alone: %j', (asked) => {
    expect(change(asked)(state)).toEqual([{ type: 'CustomerChanged', data: { effectiveAt: later, ...asked } }]);
    expect(given(create(full), change(asked))).toEqual({ ...state, ...asked, changedAt: later });
  });

  it('in what is other than it was, of all that is named', () => {
    expect(change({ currency: 'EUR', timeZone: 'UTC', metadata: { tier: 'gold' } })(state)).toEqual([
      { type: 'CustomerChanged', data: { effectiveAt: later, timeZone: 'UTC' } },
    ]);
  });

  it('in metadata by name: set, replaced and taken away, recorded as a whole', () => {
    const asked: CustomerChange = { metadata: { tier: null, crm: '8', note: '' } };
    expect(change(asked)(state)).toEqual([
      { type: 'CustomerChanged', data: { effectiveAt: later, metadata: { crm: '8', note: '' } } },
    ]);
    expect(given(create(full), change(asked))).toMatchObject({ metadata: { crm: '8', note: '' } });
    expect(change(asked)(given(create(full), change(asked)))).toEqual([]);
  });

  it('in personal data as a whole, always: nobody can see whether it is the same', () => {
    const personal = { contacts: [{ email: 'ada@example.com' }] };
    const event = {
      type: 'CustomerChanged',
      data: { effectiveAt: later, personal: { subject: customerId, clear: personal } },
    };
    expect(change({ personal })(state)).toEqual([event]);
    expect(change({ personal })(given(create(full), change({ personal })))).toEqual([event]);
    expect(given(create(full), change({ personal }))).toMatchObject({ personal: event.data.personal });
  });

  it('not when it is so already', () => {
    expect(change({})(state)).toEqual([]);
    expect(change({ ...terms, paymentTermsDays: 30, metadata: full.metadata })(state)).toEqual([]);
  });

  it('no earlier than it changed last', () => {
    const events = change({ currency: 'USD' }, now)(given(create(full), change({ currency: 'JPY' })));
    expect(events).toEqual([{ type: 'CustomerChanged', data: { effectiveAt: later, currency: 'USD' } }]);
  });

  it.each<[CustomerChange, string]>([
    [{ currency: '' }, 'unknown-currency'],
    [{ timeZone: '' }, 'unknown-time-zone'],
    [{ paymentTermsDays: -1 }, 'invalid-payment-terms'],
    [{ metadata: { '': 'x' } }, 'invalid-metadata'],
    [{ personal: { contacts: [{ email: 'nobody' }] } }, 'invalid-text'],
  ])('but not to %j: %s', (wrong, code) => {
    expect(refusal(() => change(wrong)(state))).toBe(code);
  });

  it('only while there is one', () => {
    expect(refusal(() => change({ currency: 'USD' })(none))).toBe('customer-not-found');
    expect(refusal(() => change({})(given(create(), erase())))).toBe('customer-erased');
  });
});

describe('a customer is erased', () => {
  it('once, and keeps its ids and terms, nothing that a person can be known by', () => {
    const state = given(create(full));
    expect(erase()(state)).toEqual([
      { type: 'CustomerErased', data: { effectiveAt: later, customerId, externalId: 'acme' } },
    ]);
    const erased = given(create(full), erase());
    expect(erased).toEqual({
      status: 'erased',
      customerId,
      externalId: 'acme',
      ...terms,
      paymentTermsDays: 30,
      changedAt: later,
      metadata: {},
    });
    expect(erased).not.toHaveProperty('personal');
    expect(erase()(erased)).toEqual([]);
  });

  it('no earlier than it changed last, and by its id alone when it has no other', () => {
    const [event] = erase(now)(given(create({}, later)));
    expect(event?.data).toStrictEqual({ effectiveAt: later, customerId });
  });

  it('only when there is one', () => {
    expect(refusal(() => erase()(none))).toBe('customer-not-found');
  });
});

describe('what a subscription leaves to its customer', () => {
  it('is taken from it, under its external id', () => {
    expect(withCustomer(given(create(full)), { customerId })).toEqual({
      customerId: 'acme',
      ...terms,
      paymentTermsDays: 30,
    });
    expect(withCustomer(given(create()), { customerId }).customerId).toBe(customerId);
  });

  it('is not taken where the subscription says it, and all else that it says stays', () => {
    const said = { customerId, currency: 'USD', timeZone: 'UTC', paymentTermsDays: 0, plan: 'pro' };
    expect(withCustomer(given(create(full)), said)).toEqual({ ...said, customerId: 'acme' });
  });

  it('is nothing where no customer was created here', () => {
    const said = { customerId: 'elsewhere', currency: 'USD', timeZone: 'UTC' };
    expect(withCustomer(none, said)).toEqual({ ...said, paymentTermsDays: undefined });
    expect(refusal(() => withCustomer(none, { customerId: 'elsewhere', currency: 'USD' }))).toBe(
      'customer-terms-missing',
    );
    expect(refusal(() => withCustomer(none, { customerId: 'elsewhere', timeZone: 'UTC' }))).toBe(
      'customer-terms-missing',
    );
  });

  it('is refused when the customer was erased, whatever the subscription says itself', () => {
    const said = { customerId, currency: 'USD', timeZone: 'UTC' };
    expect(refusal(() => withCustomer(given(create(), erase()), said))).toBe('customer-erased');
  });
});

it('is the same from a snapshot', () => {
  const { toJSON, fromJSON } = customerType.snapshot;
  const state = given(create(full));
  expect(fromJSON(JSON.parse(JSON.stringify(toJSON(state))))).toEqual(state);
});

it('throws at an event that it does not know, or that comes before the first', () => {
  const eaten = { type: 'CustomerEaten', data: {} } as unknown as CustomerEvent;
  expect(() => evolveCustomer(given(create()), eaten)).toThrow('unknown event CustomerEaten');
  const [erased] = erase()(given(create()));
  expect(() => evolveCustomer(none, erased!)).toThrow('CustomerErased before CustomerCreated');
});
