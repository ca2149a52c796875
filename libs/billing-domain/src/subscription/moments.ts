import { addDays, dateOf, toInstant } from '../calendar';
import type { Line } from '../line';
import type { Moment, Span } from '../proration';
import type { StartedSubscription } from './state';

/* Points of a subscription's time in the unit of its rules. */

type Rules = Pick<StartedSubscription, 'rules'>;

export function momentOf({ timeZone, rules }: Pick<StartedSubscription, 'timeZone' | 'rules'>, local: string): Moment {
  return { date: dateOf(local), at: rules.prorationUnit === 'second' ? toInstant(local, timeZone) : '' };
}

/** When terms begin, in the zone that the subscription had then. */
export function momentThen(
  { timeZone, rules }: Pick<StartedSubscription, 'timeZone' | 'rules'>,
  { from, at, timeZone: then = timeZone }: { readonly from: string; readonly at?: string; readonly timeZone?: string },
): Moment {
  const { date, at: shown } = momentOf({ timeZone: then, rules }, from);
  return { date, at: shown === '' ? shown : (at ?? shown) };
}

/** In the unit of the rules: what lies on one local date, or in one second, is one moment. */
export function isBefore({ rules }: Rules, a: Moment, b: Moment): boolean {
  return rules.prorationUnit === 'second' ? a.at.slice(0, 19) < b.at.slice(0, 19) : a.date < b.date;
}

export const earlier = (of: Rules, a: Moment, b: Moment) => (isBefore(of, b, a) ? b : a);
export const later = (of: Rules, a: Moment, b: Moment) => (isBefore(of, a, b) ? b : a);

/** Local dates, half-open; a span that is counted in seconds covers each date that it touches. */
export function serviceOf({ rules }: Rules, { from, to }: Span): Line['service'] {
  const touches = rules.prorationUnit === 'second' && to.date === from.date;
  return { from: from.date, to: touches ? addDays(to.date, 1) : to.date };
}

/** What of a span the id of its line derives from: counted in seconds, several of one item can lie on one date. */
export function namedBy(of: Rules, span: Span): Line['service'] {
  return of.rules.prorationUnit === 'second' ? { from: span.from.at, to: span.to.at } : serviceOf(of, span);
}

/** The time that a line charges. */
export function spanOf({ service, rule }: Line): Span {
  return {
    from: { date: service.from, at: rule.instants?.from ?? '' },
    to: { date: service.to, at: rule.instants?.to ?? '' },
  };
}
