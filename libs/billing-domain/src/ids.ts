import { v5 } from 'uuid';

/** The namespace of every derived id. Part of history: a change would give all things other ids. */
const NAMESPACE = 'a3f1c0de-7b52-5c1e-9d46-0b6f2f7d8e31';

/** uuid v5 of a list; as JSON, so that ('a', 'bc') and ('ab', 'c') differ. */
function derive(...parts: readonly (string | number | null)[]): string {
  return v5(JSON.stringify(parts), NAMESPACE);
}

/** A subscription's id: of its external id, else of the Idempotency-Key that starts it. (billing-model.md §7) */
export function subscriptionId(tenant: string, natural: { externalId: string } | { key: string }): string {
  return 'externalId' in natural
    ? derive(tenant, 'subscription', 'external-id', natural.externalId)
    : derive(tenant, 'subscription', 'key', natural.key);
}

/** A plan's id: of its external id, else of the Idempotency-Key that creates it. */
export function planId(tenant: string, natural: { externalId: string } | { key: string }): string {
  return 'externalId' in natural
    ? derive(tenant, 'plan', 'external-id', natural.externalId)
    : derive(tenant, 'plan', 'key', natural.key);
}

/** A customer's id: of its external id, else of the Idempotency-Key that creates it. */
export function customerId(tenant: string, natural: { externalId: string } | { key: string }): string {
  return 'externalId' in natural
    ? derive(tenant, 'customer', 'external-id', natural.externalId)
    : derive(tenant, 'customer', 'key', natural.key);
}

/** Whether a text is an id as derived here: a uuid of version 5 in lower case. */
export function isCustomerId(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text);
}

/**
 * The id of the customer that a subscription, an invoice or a balance names, whether it was created here or not: a
 * derived id names itself, any other text is an external id.
 */
export function customerIdOf(tenant: string, named: string): string {
  return isCustomerId(named) ? named : customerId(tenant, { externalId: named });
}

/** A coupon's id: of its code, as `couponCode` writes it. */
export function couponId(tenant: string, code: string): string {
  return derive(tenant, 'coupon', code);
}

/** The id of the redemption that is kept for the command with this Idempotency-Key on a subscription. */
export function reservationId(coupon: string, subscription: string, key: string): string {
  return derive(coupon, 'reservation', subscription, key);
}

/** The Idempotency-Key under which a redemption is reserved, counted or released, each once. */
export function reservationKey(reservation: string, step: 'reserve' | 'redeem' | 'release'): string {
  return derive(reservation, step);
}

/** The id of the invoice that a bill becomes. */
export function invoiceId(subscription: string, billNumber: number): string {
  return derive(subscription, 'invoice', billNumber);
}

/** The id of the credit note that a bill below zero becomes. */
export function creditNoteId(subscription: string, billNumber: number): string {
  return derive(subscription, 'credit-note', billNumber);
}

/** The id of a customer's balance in one currency. */
export function customerBalanceId(tenant: string, customer: string, currency: string): string {
  return derive(tenant, 'customer-balance', customer, currency);
}

/** The Idempotency-Key under which a credit note is granted to the balance, once. */
export function grantCreditKey(creditNote: string): string {
  return derive(creditNote, 'grant-credit');
}

/** The Idempotency-Key under which the balance settles an invoice, once. */
export function applyCreditKey(invoice: string): string {
  return derive(invoice, 'apply-credit');
}

/** The Idempotency-Key under which a voided invoice returns what it had used, once. */
export function returnCreditKey(invoice: string): string {
  return derive(invoice, 'return-credit');
}

/** The id of a number series of a tenant. */
export function invoiceNumbersId(tenant: string, series: string): string {
  return derive(tenant, 'invoice-numbers', series);
}

/** The id of the API key that a command with this Idempotency-Key creates. */
export function apiKeyId(tenant: string, key: string): string {
  return derive(tenant, 'api-key', key);
}

/** A line's id: of what it charges for when, never of an event. (billing-model.md §3) */
export function lineId(
  subscription: string,
  source: string,
  kind: string,
  service: { readonly from: string; readonly to: string },
  corrects: string | null,
  change: number,
): string {
  return derive(subscription, source, kind, service.from, service.to, corrects, change);
}

/** The id of the line that a caller added under an id of its own. (billing-model.md §3) */
export function lineItemLineId(subscription: string, lineItemId: string): string {
  return derive(subscription, 'line-item', lineItemId);
}

/** The id of what was used in one period of a subscription. */
export function usageId(tenant: string, subscription: string, periodNumber: number): string {
  return derive(tenant, 'usage', subscription, periodNumber);
}

/** The Idempotency-Key under which these records of a request are recorded in one stream. */
export function usageKey(key: string, usage: string, records: readonly string[]): string {
  return derive(key, 'record-usage', usage, ...records);
}

/** The Idempotency-Key under which anyone bills a closed period whose usage had to be sealed first. */
export function billUsageKey(subscription: string, periodNumber: number): string {
  return derive(subscription, 'bill-usage', periodNumber);
}

/**
 * The Idempotency-Key under which anyone cuts or seals the usage of a period as a revision of the subscription knows it; a cut also
 * at a revision of the usage, as records that come after it may ask for another.
 */
export function usageStepKey(step: 'cut' | 'seal', usage: string, knownAt: number, revision?: bigint): string {
  return derive(usage, step, revision === undefined ? knownAt : `${knownAt} ${revision}`);
}

/** The Idempotency-Key under which anyone rolls a period over: the scheduler and a command that meets `boundary-due` share it. */
export function rollOverKey(subscription: string, periodNumber: number): string {
  return derive(subscription, 'roll-over', periodNumber);
}

/** The Idempotency-Key of a command that a policy derives from an event; `n` tells apart all those derived from one event. */
export function policyKey(eventId: string, n: string | number): string {
  return derive(eventId, 'policy', n);
}

/** The Idempotency-Key under which a number is granted to an invoice, however often it is asked for. */
export function grantNumberKey(invoice: string): string {
  return derive(invoice, 'number');
}
