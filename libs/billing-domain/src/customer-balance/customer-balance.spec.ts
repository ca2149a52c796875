import { at, refusal } from '../subscription/decisions.fixture';
import {
  applyCredit,
  customerBalanceType,
  evolveCustomerBalance,
  grantCredit,
  returnCredit,
  type CustomerBalance,
} from './customer-balance';
import type { CustomerBalanceEvent } from './events';

const of = { customerId: 'customer-1', currency: 'USD' };
const most = `1${'0'.repeat(18)}`;

type Decision = (state: CustomerBalance) => CustomerBalanceEvent[];
const given = (...decisions: readonly Decision[]) =>
  decisions.reduce<CustomerBalance>(
    (state, decide) => decide(state).reduce(evolveCustomerBalance, state),
    customerBalanceType.initial,
  );
const grant =
  (amount: string, day = '2026-01-02', more = {}): Decision =>
  (state) =>
    grantCredit(state, { ...of, amount, creditNoteId: 'cn', ...more }, at(day));
const apply =
  (amount: string, day = '2026-01-03', more = {}): Decision =>
  (state) =>
    applyCredit(state, { ...of, amount, invoiceId: 'i', ...more }, at(day));
const giveBack =
  (amount: string, day = '2026-01-04', more = {}): Decision =>
  (state) =>
    returnCredit(state, { ...of, amount, invoiceId: 'i', ...more }, at(day));
const empty = given();

it('begins with nothing', () => {
  expect(empty).toEqual({ balance: '0' });
});

it('is granted what a credit note gives back, on top of what there is', () => {
  expect(grant('500')(given(grant('100')))).toEqual([
    {
      type: 'CreditGranted',
      data: { ...of, effectiveAt: at('2026-01-02'), amount: '500', balance: '600', creditNoteId: 'cn' },
    },
  ]);
  expect(given(grant('100'), grant('500', '2026-01-05'))).toEqual({ balance: '600', changedAt: at('2026-01-05') });
});

it('settles an invoice as far as that asks, and no further than there is', () => {
  const state = given(grant('600'));
  const applied = (amount: string, balance: string) => [
    {
      type: 'CreditApplied',
      data: { ...of, effectiveAt: at('2026-01-03'), amount, balance, invoiceId: 'i' },
    },
  ];
  expect(apply('250')(state)).toEqual(applied('250', '350'));
  expect(apply('599')(state)).toEqual(applied('599', '1'));
  expect(apply('600')(state)).toEqual(applied('600', '0'));
  expect(apply('601')(state)).toEqual(applied('600', '0'));
  expect(apply('1000')(given(grant('600'), apply('250')))).toEqual(applied('350', '0'));
});

it('settles nothing when there is nothing, or nothing is due', () => {
  expect(apply('1')(empty)).toEqual([]);
  expect(apply('1')(given(grant('600'), apply('600')))).toEqual([]);
  expect(apply('0')(given(grant('600')))).toEqual([]);
});

it('gets back what a voided invoice had used, also when nothing is left', () => {
  expect(giveBack('250')(given(grant('250'), apply('250')))).toEqual([
    {
      type: 'CreditReturned',
      data: { ...of, effectiveAt: at('2026-01-04'), amount: '250', balance: '250', invoiceId: 'i' },
    },
  ]);
  expect(giveBack('250')(given(grant('300'), apply('250')))[0]?.data.balance).toBe('300');
  expect(giveBack('0')(given(grant('250')))).toEqual([]);
});

it('is dated no earlier than it changed last', () => {
  for (const earlier of [apply('1', '2026-01-01'), giveBack('1', '2026-01-01'), grant('1', '2026-01-01')]) {
    expect(earlier(given(grant('100')))[0]?.data.effectiveAt).toBe(at('2026-01-02'));
  }
});

it('refuses what is no amount', () => {
  for (const amount of ['0', '-5', '1.5', '']) expect(refusal(() => grant(amount)(empty))).toBe('invalid-amount');
  for (const amount of ['-1', '1.5', '']) {
    expect(refusal(() => apply(amount)(given(grant('5'))))).toBe('invalid-amount');
    expect(refusal(() => apply(amount)(empty))).toBe('invalid-amount');
    expect(refusal(() => giveBack(amount)(empty))).toBe('invalid-amount');
  }
});

it('refuses a currency that is none, and a time that is none', () => {
  for (const act of [grant, apply, giveBack]) {
    expect(refusal(() => act('1', '2026-01-05', { currency: 'XXX' })(given(grant('5'))))).toBe('unknown-currency');
    expect(refusal(() => act('1', 'today')(given(grant('5'))))).toBe('invalid-instant');
  }
});

it('never holds more than an amount can be', () => {
  expect(given(grant(most))).toMatchObject({ balance: most });
  expect(refusal(() => grant('1')(given(grant(most))))).toBe('amount-out-of-range');
  expect(refusal(() => giveBack('1')(given(grant(most))))).toBe('amount-out-of-range');
});

it('is the same from a snapshot', () => {
  const { toJSON, fromJSON } = customerBalanceType.snapshot;
  const state = given(grant('100'));
  expect(fromJSON(JSON.parse(JSON.stringify(toJSON(state))))).toEqual(state);
});

it('throws at an event that it does not know', () => {
  const eaten = { type: 'CreditEaten', data: {} } as unknown as CustomerBalanceEvent;
  expect(() => evolveCustomerBalance(empty, eaten)).toThrow('unknown event CreditEaten');
});
