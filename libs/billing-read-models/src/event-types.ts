import {
  aggregateTypes,
  couponType,
  creditNoteType,
  customerBalanceType,
  customerType,
  invoiceType,
  planType,
  subscriptionType,
  usageType,
} from '@perennial/billing-domain';
import { COMMAND_NOTED } from '@perennial/event-sourcing';

/**
 * With what the repository records for a command that changed nothing: it moves the stream's revision, and a row must
 * show the revision that a caller would name with If-Match.
 */
const typesOf = (...types: { readonly catalog: object }[]) => [
  ...types.flatMap(({ catalog }) => Object.keys(catalog)),
  COMMAND_NOTED,
];

export const subscriptionEventTypes = typesOf(subscriptionType);
export const invoiceEventTypes = typesOf(invoiceType);
export const creditNoteEventTypes = typesOf(creditNoteType);
export const customerBalanceEventTypes = typesOf(customerBalanceType);
export const planEventTypes = typesOf(planType);
export const couponEventTypes = typesOf(couponType);
export const customerEventTypes = typesOf(customerType);
export const allEventTypes = typesOf(...aggregateTypes);
export const usageEventTypes = typesOf(usageType);
