/**
 * Personal data in an event. A decision states it in the clear; before it is stored it is sealed under the data key of
 * `subject` (a customer's id), so a stored event, a state and a snapshot only ever hold it sealed, or `erased` where the
 * key was destroyed before. Nothing but the field `personal` of an event holds personal data. (billing-model.md §7)
 */
export type Personal<Clear> =
  | { readonly subject: string; readonly clear: Clear }
  | { readonly subject: string; readonly of: string; readonly sealed: string }
  | { readonly subject: string; readonly erased: true };
