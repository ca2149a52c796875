import { apiKeyType } from './api-key/api-key';
import { couponType } from './coupon/coupon';
import { creditNoteType } from './credit-note/credit-note';
import { customerBalanceType } from './customer-balance/customer-balance';
import { customerType } from './customer/customer';
import { invoiceNumbersType } from './invoice-numbers/invoice-numbers';
import { invoiceType } from './invoice/invoice';
import { planType } from './plan/plan';
import { subscriptionType } from './subscription/subscription-type';
import { usageType } from './usage/usage';

/** Every aggregate that has streams: who reads all of them, a projection, a policy or the audit, forgets none. */
export const aggregateTypes = [
  subscriptionType,
  usageType,
  planType,
  couponType,
  customerType,
  invoiceType,
  creditNoteType,
  customerBalanceType,
  invoiceNumbersType,
  apiKeyType,
] as const;

/** The upcasts of every event type of billing, by aggregate and type. */
export const billingCatalogs: Readonly<
  Record<string, Readonly<Record<string, readonly ((data: unknown) => unknown)[]>>>
> = Object.fromEntries(aggregateTypes.map(({ name, catalog }) => [name, catalog]));
