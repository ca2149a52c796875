import { laterInstant } from '../calendar';
import { DomainError } from '../domain-error';
import type { JsonValue } from '../json';
import { currency, money, parseMinor } from '../money';
import type { CustomerBalanceEvent } from './events';

/*
 * What a customer has to its credit in one currency; never below zero. It keeps the amount alone: that each credit is granted once
 * and each use recorded once is the work of the keys that derive from the credit note's or the invoice's id (`grantCreditKey`,
 * `applyCreditKey`, `returnCreditKey`), as a number series does. (billing-model.md §3)
 */
export interface CustomerBalance {
  /** Minor units. */
  readonly balance: string;
  /** When it changed last; absent before the first credit. */
  readonly changedAt?: string;
}

interface Of {
  readonly customerId: string;
  readonly currency: string;
  /** Minor units, above zero. */
  readonly amount: string;
}

/** Grants what a credit note gives back. Raises `invalid-amount`, `amount-out-of-range`, `unknown-currency`. */
export function grantCredit(
  state: CustomerBalance,
  { creditNoteId, ...of }: Of & { readonly creditNoteId: string },
  now: string,
): CustomerBalanceEvent[] {
  return [{ type: 'CreditGranted', data: { ...changed(state, of, 1n, now), creditNoteId } }];
}

/** Settles up to `amount` of an invoice, as much as there is; nothing when there is none, or nothing is due. Raises as grantCredit. */
export function applyCredit(
  state: CustomerBalance,
  { invoiceId, ...of }: Of & { readonly invoiceId: string },
  now: string,
): CustomerBalanceEvent[] {
  const [due, balance] = [parseMinor(of.amount), BigInt(state.balance)];
  const amount = (due < balance ? due : balance).toString();
  if (amount === '0') return [];
  return [{ type: 'CreditApplied', data: { ...changed(state, { ...of, amount }, -1n, now), invoiceId } }];
}

/** Gives back what a voided invoice had used; nothing when it had used none. Raises as grantCredit. */
export function returnCredit(
  state: CustomerBalance,
  { invoiceId, ...of }: Of & { readonly invoiceId: string },
  now: string,
): CustomerBalanceEvent[] {
  if (of.amount === '0') return [];
  return [{ type: 'CreditReturned', data: { ...changed(state, of, 1n, now), invoiceId } }];
}

function changed(state: CustomerBalance, of: Of, sign: 1n | -1n, now: string) {
  const amount = parseMinor(of.amount);
  if (amount <= 0n) throw new DomainError('invalid-amount', 'an amount above zero');
  const code = currency(of.currency);
  return {
    effectiveAt: laterInstant(now, state.changedAt ?? now),
    customerId: of.customerId,
    currency: code,
    amount: amount.toString(),
    balance: money(BigInt(state.balance) + sign * amount, code).minor.toString(),
  };
}

/** Records what happened. */
export function evolveCustomerBalance(_state: CustomerBalance, event: CustomerBalanceEvent): CustomerBalance {
  switch (event.type) {
    case 'CreditGranted':
    case 'CreditApplied':
    case 'CreditReturned':
      return { balance: event.data.balance, changedAt: event.data.effectiveAt };
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

const customerBalanceEvents: Readonly<Record<CustomerBalanceEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  CreditGranted: [],
  CreditApplied: [],
  CreditReturned: [],
};

/** What the aggregate repository needs to know of customers' balances. */
export const customerBalanceType = {
  name: 'customer-balance',
  catalog: customerBalanceEvents,
  initial: { balance: '0' } as CustomerBalance,
  evolve: evolveCustomerBalance,
  snapshot: {
    version: 1,
    toJSON: (state: CustomerBalance) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as CustomerBalance,
  },
} as const;
