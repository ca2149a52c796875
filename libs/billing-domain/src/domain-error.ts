export type DomainErrorCategory = 'not-found' | 'conflict' | 'invalid' | 'unavailable-feature';

/** Every way in which the domain says no: the public, stable code, its kind and what it means to a caller. */
export const domainErrors = {
  'subscription-not-found': { category: 'not-found', meaning: 'There is no such subscription.' },
  'subscription-exists': { category: 'conflict', meaning: 'A subscription with this external id exists already.' },
  'subscription-canceled': { category: 'conflict', meaning: 'The subscription has ended; nothing can change it.' },
  'subscription-paused': {
    category: 'conflict',
    meaning: 'The subscription is paused; resume it first, or cancel now.',
  },
  'cancellation-scheduled': {
    category: 'conflict',
    meaning: 'The subscription ends with its open period; undo the cancellation first.',
  },
  'pause-scheduled': {
    category: 'conflict',
    meaning: 'A pause begins with the end of the open period; undo it first.',
  },
  'minimum-term': {
    category: 'conflict',
    meaning: 'The minimum term has not passed: it can end later, or with the term waived (details.earliest).',
  },
  'notice-period': {
    category: 'conflict',
    meaning: 'It cannot end without notice: cancel with the period, or with the notice waived (details.earliest).',
  },
  'billing-held': {
    category: 'conflict',
    meaning:
      'Billing is held, as a bill passed a bound that no sound history passes; someone must look and release it.',
  },
  'no-open-period': {
    category: 'conflict',
    meaning: 'No billing period is open: the subscription has not begun, or is paused.',
  },
  'boundary-due': {
    category: 'conflict',
    meaning:
      'The open period has elapsed and must be rolled over before anything else is decided (details.periodNumber).',
  },
  'period-not-elapsed': { category: 'conflict', meaning: 'The period cannot be rolled over: it has not ended yet.' },
  'billing-period-full': {
    category: 'conflict',
    meaning: 'The open period holds as many lines, or as many bytes of them, as one bill can carry.',
  },
  'line-item-exists': { category: 'conflict', meaning: 'This line item id was used before, with other content.' },
  'line-item-not-found': { category: 'not-found', meaning: 'The open period holds no line item with this id.' },
  'line-item-already-billed': { category: 'conflict', meaning: 'The line item is on a bill and cannot be voided.' },
  'bill-below-zero': { category: 'conflict', meaning: 'A bill below zero becomes a credit note, not an invoice.' },
  'bill-not-below-zero': { category: 'conflict', meaning: 'Only a bill below zero becomes a credit note.' },
  'bill-not-found': { category: 'not-found', meaning: 'The subscription has no bill with this number.' },
  'bill-without-lines': { category: 'conflict', meaning: 'A bill without lines becomes no invoice.' },
  'plan-not-found': { category: 'not-found', meaning: 'There is no such plan.' },
  'plan-exists': { category: 'conflict', meaning: 'A plan with this external id exists already.' },
  'plan-version-not-found': { category: 'not-found', meaning: 'The plan has no such version, or none is published.' },
  'plan-version-published': {
    category: 'conflict',
    meaning: 'A published version of a plan never changes; draft the next one.',
  },
  'plan-version-draft': { category: 'conflict', meaning: 'The version of the plan is a draft; publish it first.' },
  'plan-version-archived': { category: 'conflict', meaning: 'The version of the plan is archived.' },
  'currency-in-use': {
    category: 'conflict',
    meaning:
      'Something is still in the currency of now: lines that are not billed, an amount coupon, or an item of its own.',
  },
  'no-plan': { category: 'conflict', meaning: 'The subscription is on no plan.' },
  'plan-full': { category: 'conflict', meaning: 'The versions of the plan are more than one plan can hold.' },
  'incomplete-plan': {
    category: 'invalid',
    meaning: 'The terms of a plan cannot be published: components, currencies, prices or meters are missing.',
  },
  'coupon-not-found': { category: 'not-found', meaning: 'There is no coupon with this code or id.' },
  'coupon-exists': { category: 'conflict', meaning: 'A coupon with this code exists already.' },
  'coupon-archived': { category: 'conflict', meaning: 'The coupon is archived: nobody redeems it any more.' },
  'coupon-expired': { category: 'conflict', meaning: 'The coupon can be redeemed no longer.' },
  'coupon-exhausted': { category: 'conflict', meaning: 'The coupon has been redeemed as often as it can be.' },
  'coupon-busy': {
    category: 'conflict',
    meaning: 'More redemptions of the coupon are on their way than can be at one time; try again.',
  },
  'coupon-already-applied': { category: 'conflict', meaning: 'A subscription redeems a coupon once.' },
  'coupon-currency-mismatch': {
    category: 'conflict',
    meaning: 'The amount of the coupon is in another currency than the subscription.',
  },
  'too-many-coupons': { category: 'conflict', meaning: 'More coupons would act on the subscription than can.' },
  'customer-not-found': { category: 'not-found', meaning: 'There is no such customer.' },
  'customer-exists': { category: 'conflict', meaning: 'A customer with this external id exists already.' },
  'customer-erased': { category: 'conflict', meaning: 'The customer was erased, for ever.' },
  'customer-terms-missing': {
    category: 'invalid',
    meaning: 'Currency and time zone are left to a customer that was not created here: name them.',
  },
  'invalid-external-id': {
    category: 'invalid',
    meaning: 'An external id of a customer is no uuid of version 5, which is what the ids given here are.',
  },
  'unknown-component': {
    category: 'invalid',
    meaning: 'A quantity or an add-on names no component of the plan that has quantities or can be picked.',
  },
  'invoice-not-found': { category: 'not-found', meaning: 'There is no such invoice.' },
  'invoice-not-finalised': { category: 'conflict', meaning: 'Only a finalised invoice can be voided.' },
  'credit-note-not-found': { category: 'not-found', meaning: 'There is no such credit note.' },
  'customer-balance-not-found': {
    category: 'not-found',
    meaning: 'There is no such balance: a customer has one in each currency in which it was ever granted credit.',
  },
  'api-key-not-found': { category: 'not-found', meaning: 'There is no such API key.' },
  'api-key-exists': { category: 'conflict', meaning: 'An API key with this id exists already.' },
  'not-available': {
    category: 'unavailable-feature',
    meaning: 'This option is part of the API but not available yet.',
  },
  'unknown-currency': { category: 'invalid', meaning: 'The currency is not a code of ISO 4217 known here.' },
  'currency-mismatch': { category: 'invalid', meaning: 'Amounts of two currencies were combined.' },
  'invalid-amount': { category: 'invalid', meaning: 'An amount is not a whole number of minor units as a string.' },
  'amount-out-of-range': { category: 'invalid', meaning: 'An amount is larger than can be billed.' },
  'negative-amount': { category: 'invalid', meaning: 'A price or quantity is below zero.' },
  'invalid-decimal': {
    category: 'invalid',
    meaning: 'A quantity or price is not a decimal string with at most 18 digits before the point and 12 after it.',
  },
  'invalid-instant': { category: 'invalid', meaning: 'An instant is not of the form YYYY-MM-DDTHH:mm:ss.sssZ.' },
  'invalid-date': { category: 'invalid', meaning: 'A date is not of the form YYYY-MM-DD, or does not exist.' },
  'invalid-local-date-time': {
    category: 'invalid',
    meaning: 'A local date-time is not of the form YYYY-MM-DDTHH:mm:ss, or does not exist in the calendar.',
  },
  'date-out-of-range': { category: 'invalid', meaning: 'A date lies outside the years 0001 to 9999.' },
  'unknown-time-zone': { category: 'invalid', meaning: 'The time zone is not an IANA name known here.' },
  'invalid-interval': {
    category: 'invalid',
    meaning: 'The interval is not 1 to 3660 days, 520 weeks, 120 months or 10 years.',
  },
  'invalid-anchor': {
    category: 'invalid',
    meaning:
      'The anchor is not a day of month from 1 to 31 with an interval in months or years, nor a local date-time.',
  },
  'invalid-service': {
    category: 'invalid',
    meaning: 'The service dates are empty, reversed, or further than five years from the open period.',
  },
  'invalid-text': { category: 'invalid', meaning: 'A text or id is empty, too long, or holds control characters.' },
  'invalid-metadata': {
    category: 'invalid',
    meaning:
      'Metadata is not at most 50 flat strings (keys up to 40 characters, values up to 500, 8,000 bytes in all).',
  },
  'invalid-payment-terms': {
    category: 'invalid',
    meaning: 'Payment terms are not a whole number of days from 0 to 365.',
  },
  'item-not-found': { category: 'not-found', meaning: 'The subscription has no item with this id.' },
  'duplicate-component': { category: 'conflict', meaning: 'Two active items have the same component key or meter.' },
  'too-many-items': { category: 'conflict', meaning: 'The subscription would have more items than one can have.' },
  'before-correction-horizon': {
    category: 'conflict',
    meaning: 'A change takes effect at the earliest with the start of the previous period (details.horizon).',
  },
  'invalid-price': {
    category: 'invalid',
    meaning:
      'A price does not give every quantity from 0 on exactly one amount: its tiers, sizes, rates or bounds are wrong.',
  },
  'invalid-meter': {
    category: 'invalid',
    meaning: 'A meter does not say what it measures: its key, properties or filters do not fit its aggregation.',
  },
  'meter-changed': {
    category: 'conflict',
    meaning: 'The subscription knows a meter with this key and another definition; another definition is another key.',
  },
  'meter-not-found': {
    category: 'not-found',
    meaning: 'No meter of the subscription reads this event at the time of the record.',
  },
  'ambiguous-subscription': {
    category: 'conflict',
    meaning: 'Several subscriptions of the customer measure this event; name the subscription.',
  },
  'invalid-usage-record': { category: 'invalid', meaning: 'A usage record is larger than 4,000 bytes.' },
  'invalid-usage-value': {
    category: 'invalid',
    meaning: 'A usage record has no value, or property, of the kind that its meter measures.',
  },
  'usage-record-exists': { category: 'conflict', meaning: 'This usage record id was used before, with other content.' },
  'usage-record-in-future': { category: 'conflict', meaning: 'The time of the usage record is still to come.' },
  'usage-record-late': {
    category: 'conflict',
    meaning: 'The period of the usage record is sealed, and its meter takes nothing late.',
  },
  'usage-period-not-found': {
    category: 'not-found',
    meaning: 'The subscription has no period with usage that holds the time of the record.',
  },
  'usage-out-of-range': { category: 'conflict', meaning: 'The period would hold more usage than can be billed.' },
  'usage-sealed': { category: 'conflict', meaning: 'The usage of the period is sealed.' },
  'usage-terms-differ': {
    category: 'conflict',
    meaning: 'The usage of the period is measured on other terms than those that the subscription has.',
  },
  'usage-not-sealed': {
    category: 'conflict',
    meaning: 'The usage of the period is not sealed, so it cannot be billed yet (details.periodNumber).',
  },
  'start-out-of-range': {
    category: 'invalid',
    meaning: 'A start lies within five years of now, and has at most 120 periods to bill that have elapsed.',
  },
  'invalid-option': { category: 'invalid', meaning: 'An option is not one of the values that it can take.' },
} as const satisfies Record<string, { readonly category: DomainErrorCategory; readonly meaning: string }>;

export type DomainErrorCode = keyof typeof domainErrors;

/** The domain's "no" (or "not yet"). The code is part of the public API; the message is for people. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly category: DomainErrorCategory;

  constructor(
    readonly code: DomainErrorCode,
    message: string = domainErrors[code].meaning,
    readonly details?: Readonly<Record<string, string | number>>,
  ) {
    super(message);
    this.category = domainErrors[code].category;
  }
}
