import { instant, laterInstant, timeZone } from '../calendar';
import { DomainError } from '../domain-error';
import { isCustomerId } from '../ids';
import type { JsonValue } from '../json';
import { patched, type MetadataPatch } from '../metadata';
import { currency } from '../money';
import type { Personal } from '../personal';
import { metadata, paymentTermsDays, text } from '../text';
import type { CustomerChanged, CustomerEvent } from './events';
import { personalData, type PersonalData } from './personal-data';

export type Customer = { readonly status: 'none' } | ExistingCustomer;

export interface ExistingCustomer {
  readonly status: 'active' | 'erased';
  readonly customerId: string;
  readonly externalId?: string;
  readonly changedAt: string;
  readonly currency: string;
  readonly timeZone: string;
  readonly paymentTermsDays: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Sealed, in a state that was made of stored events; absent when there is none or it was erased. */
  readonly personal?: Personal<PersonalData>;
}

/** What can be said of a customer, and said anew. */
export interface CustomerTerms {
  /** What subscriptions of this customer begin with when they say nothing else. */
  readonly currency: string;
  readonly timeZone: string;
  /** Default 0. */
  readonly paymentTermsDays?: number | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly personal?: PersonalData | undefined;
}

export interface CustomerChange extends Partial<Omit<CustomerTerms, 'metadata'>> {
  readonly metadata?: MetadataPatch | undefined;
}

/**
 * Creates a customer. Raises `customer-exists`, `customer-erased`, `invalid-external-id` (it looks like an id given here)
 * and the codes of category `invalid`.
 */
export function createCustomer(
  state: Customer,
  input: CustomerTerms & { readonly customerId: string; readonly externalId?: string | undefined },
  now: string,
): CustomerEvent[] {
  if (state.status !== 'none') throw new DomainError(state.status === 'erased' ? 'customer-erased' : 'customer-exists');
  const { customerId, externalId, personal } = input;
  if (externalId !== undefined && isCustomerId(externalId)) throw new DomainError('invalid-external-id');
  return [
    {
      type: 'CustomerCreated',
      data: {
        effectiveAt: instant(now),
        customerId,
        ...(externalId !== undefined && { externalId: text('externalId', externalId, 200) }),
        currency: currency(input.currency),
        timeZone: timeZone(input.timeZone),
        paymentTermsDays: paymentTermsDays(input.paymentTermsDays),
        metadata: metadata(input.metadata),
        ...(personal !== undefined && { personal: { subject: customerId, clear: personalData(personal) } }),
      },
    },
  ];
}

/**
 * Changes what is given, personal data as a whole, for what comes after (subscriptions keep what they began with). Nothing when it is so already; personal data is always recorded, for the state holds it sealed and cannot tell
 * whether it is the same. Raises `customer-not-found`, `customer-erased` and the codes of category `invalid`.
 */
export function changeCustomer(state: Customer, change: CustomerChange, now: string): CustomerEvent[] {
  const customer = existing(state);
  if (customer.status === 'erased') throw new DomainError('customer-erased');
  const { personal } = change;
  const wanted = {
    ...(change.currency !== undefined && { currency: currency(change.currency) }),
    ...(change.timeZone !== undefined && { timeZone: timeZone(change.timeZone) }),
    ...(change.paymentTermsDays !== undefined && { paymentTermsDays: paymentTermsDays(change.paymentTermsDays) }),
  };
  const changed = Object.entries(wanted).filter(([name, value]) => value !== customer[name as keyof typeof wanted]);
  const noted = change.metadata && patched(customer.metadata, change.metadata);
  if (changed.length === 0 && noted === undefined && personal === undefined) return [];
  const data: CustomerChanged['data'] = {
    effectiveAt: laterInstant(now, customer.changedAt),
    ...Object.fromEntries(changed),
    ...(noted !== undefined && { metadata: noted }),
    ...(personal !== undefined && { personal: { subject: customer.customerId, clear: personalData(personal) } }),
  };
  return [{ type: 'CustomerChanged', data }];
}

/**
 * Records that the customer's personal data is erased; destroying the key that it is sealed under makes it so. Nothing
 * when it is so already. Raises `customer-not-found`. (billing-model.md §7)
 */
export function eraseCustomer(state: Customer, now: string): CustomerEvent[] {
  const { status, customerId, externalId, changedAt } = existing(state);
  if (status === 'erased') return [];
  const effectiveAt = laterInstant(now, changedAt);
  return [
    { type: 'CustomerErased', data: { effectiveAt, customerId, ...(externalId !== undefined && { externalId }) } },
  ];
}

/** What a subscription can leave to its customer. */
export interface LeftToCustomer {
  /** As the caller names the customer: an id given here, an external id, or a name that means nothing here. */
  readonly customerId: string;
  readonly currency?: string | undefined;
  readonly timeZone?: string | undefined;
  readonly paymentTermsDays?: number | undefined;
}

/**
 * The terms of something that starts, with what they leave to the customer, and the customer by the one name that
 * subscriptions, invoices and balances use: the external id, else the id. A customer that was not created here has
 * nothing to leave. Raises `customer-erased`, `customer-terms-missing`.
 */
export function withCustomer<Terms extends LeftToCustomer>(
  state: Customer,
  terms: Terms,
): Terms & { readonly currency: string; readonly timeZone: string } {
  if (state.status === 'erased') throw new DomainError('customer-erased');
  const customer = state.status === 'active' ? state : undefined;
  const currency = terms.currency ?? customer?.currency;
  const timeZone = terms.timeZone ?? customer?.timeZone;
  if (currency === undefined || timeZone === undefined) throw new DomainError('customer-terms-missing');
  return {
    ...terms,
    customerId: customer ? (customer.externalId ?? customer.customerId) : terms.customerId,
    currency,
    timeZone,
    paymentTermsDays: terms.paymentTermsDays ?? customer?.paymentTermsDays,
  };
}

function existing(state: Customer): ExistingCustomer {
  if (state.status === 'none') throw new DomainError('customer-not-found');
  return state;
}

/** Records what happened. */
export function evolveCustomer(state: Customer, event: CustomerEvent): Customer {
  if (event.type === 'CustomerCreated') {
    const { effectiveAt: changedAt, ...created } = event.data;
    return { status: 'active', changedAt, ...created };
  }
  if (state.status === 'none') throw new Error(`${event.type} before CustomerCreated`);
  switch (event.type) {
    case 'CustomerChanged': {
      const { effectiveAt: changedAt, ...changed } = event.data;
      return { ...state, changedAt, ...changed };
    }
    case 'CustomerErased': {
      const { personal: _, ...kept } = state;
      return { ...kept, status: 'erased', changedAt: event.data.effectiveAt, metadata: {} };
    }
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

const customerEvents: Readonly<Record<CustomerEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  CustomerCreated: [],
  CustomerChanged: [],
  CustomerErased: [],
};

/** What the aggregate repository needs to know of customers. */
export const customerType = {
  name: 'customer',
  catalog: customerEvents,
  initial: { status: 'none' } as Customer,
  evolve: evolveCustomer,
  snapshot: {
    version: 1,
    toJSON: (state: Customer) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as Customer,
  },
} as const;
