import { apiKeyType, invoiceNumbersType, invoiceType, subscriptionType } from '@perennial/billing-domain';

/**
 * What the repository records for a command that changed nothing. It moves the stream's revision, and a row must show
 * the revision that a caller would name with If-Match.
 */
const NOTED = 'CommandNoted';

const typesOf = (...types: { readonly catalog: object }[]) => [
  ...types.flatMap(({ catalog }) => Object.keys(catalog)),
  NOTED,
];

export const subscriptionEventTypes = typesOf(subscriptionType);
export const invoiceEventTypes = typesOf(invoiceType);
export const allEventTypes = typesOf(subscriptionType, invoiceType, invoiceNumbersType, apiKeyType);
