import { Temporal } from 'temporal-polyfill';
import { DomainError } from './domain-error';

/*
 * Three kinds of time, each a string of one canonical form, so that two of a kind compare as strings do:
 *   instant          YYYY-MM-DDTHH:mm:ss.sssZ
 *   date             YYYY-MM-DD            of a local calendar
 *   local date-time  YYYY-MM-DDTHH:mm:ss   of a wall clock in some zone
 * Dates are counted as days since 1970-01-01 here, not by Temporal (20 to 30 µs a call, and a roll-over needs a dozen);
 * Temporal gives what only a library can know: the zones.
 */

export interface Interval {
  readonly unit: 'day' | 'week' | 'month' | 'year';
  readonly count: number;
}

/** From where and in which steps periods are counted: anchor + g × interval, for every integer g. (billing-model.md §1) */
export interface Grid {
  /** Local date-time. */
  readonly anchor: string;
  /** The day of month that is meant, where the anchor's own month is too short for it. */
  readonly anchorDay?: number;
  readonly interval: Interval;
}

/** [anchor + g × interval, anchor + (g + 1) × interval) in local date-times, half-open. */
export interface GridPeriod {
  readonly gridIndex: number;
  readonly from: string;
  readonly to: string;
}

const SECOND = 1000;
const DAY = 86_400_000;
const longestInterval = { day: 3660, week: 520, month: 120, year: 10 } as const;

/** The instant, if it is in the canonical form. Raises `invalid-instant`. */
export function instant(text: string): string {
  toMilliseconds(text);
  return text;
}

/** The later of two instants. Raises `invalid-instant`. */
export function laterInstant(a: string, b: string): string {
  return instant(a) > instant(b) ? a : b;
}

/** The date, if it exists. Raises `invalid-date`. */
export function date(text: string): string {
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(text) || !isDate(text))
    throw new DomainError('invalid-date', `not a date: ${JSON.stringify(text)}`);
  return text;
}

/** The local date-time, if the calendar has it (a zone may still skip it). Raises `invalid-local-date-time`. */
export function localDateTime(text: string): string {
  const formed = typeof text === 'string' && /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/.test(text);
  if (!formed || !isDate(text))
    throw new DomainError('invalid-local-date-time', `not a local date-time: ${JSON.stringify(text)}`);
  return text;
}

/** The zone's IANA name in its usual spelling. Raises `unknown-time-zone`. */
export function timeZone(name: string): string {
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) throw unknownZone(name);
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId;
  } catch {
    throw unknownZone(name);
  }
}

/** The interval, if it is within bounds. Raises `invalid-interval`. */
export function interval({ unit, count }: Interval): Interval {
  const longest = Object.hasOwn(longestInterval, unit) ? longestInterval[unit] : 0;
  if (!Number.isInteger(count) || count < 1 || count > longest)
    throw new DomainError('invalid-interval', `not an interval: ${count} ${unit}`);
  return { unit, count };
}

/** The date of a local date-time. */
export function dateOf(local: string): string {
  return local.slice(0, 10);
}

/** The start of a date, as a local date-time. */
export function startOfDay(day: string): string {
  return `${day}T00:00:00`;
}

/** Days from one date to another, below zero when it is earlier. What the wall clock did in between does not matter. */
export function daysBetween(from: string, to: string): number {
  return epochDay(to) - epochDay(from);
}

/** Whole seconds from one instant to another; what is less than a second in either does not count. Raises `invalid-instant`. */
export function secondsBetween(from: string, to: string): number {
  return Math.floor(toMilliseconds(to) / SECOND) - Math.floor(toMilliseconds(from) / SECOND);
}

/** Milliseconds from one instant to another, below zero when it is earlier. Raises `invalid-instant`. */
export function millisecondsBetween(from: string, to: string): number {
  return toMilliseconds(to) - toMilliseconds(from);
}

/** The date so many days later. Raises `date-out-of-range`. */
export function addDays(day: string, days: number): string {
  return formatDay(epochDay(day) + days);
}

/** The instant so many hours later. Raises `invalid-instant`, `date-out-of-range`. */
export function addHours(at: string, hours: number): string {
  return formatInstant(toMilliseconds(at) + hours * 3_600_000);
}

/** The instant so many milliseconds later. Raises `invalid-instant`, `date-out-of-range`. */
export function addMilliseconds(at: string, milliseconds: number): string {
  return formatInstant(toMilliseconds(at) + milliseconds);
}

/** The wall clock in a zone at an instant, to the second. */
export function toLocal(at: string, zone: string): string {
  const milliseconds = toMilliseconds(at);
  const local = milliseconds + offsetAt(milliseconds, zone);
  const day = Math.floor(local / DAY);
  const seconds = Math.floor((local - day * DAY) / SECOND);
  const [hour, minute, second] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${formatDay(day)}T${two(hour)}:${two(minute)}:${two(second)}`;
}

/** The date in a zone at an instant. */
export function toLocalDate(at: string, zone: string): string {
  return dateOf(toLocal(at, zone));
}

/**
 * The instant at which a zone's wall clock shows a local date-time: the first of the two when the clock is set back; when
 * it is set forward over it, as much after the gap as it lies in it (02:30 becomes 03:30), so that midnight is the day's start.
 */
export function toInstant(local: string, zone: string): string {
  const asUtc = epochDay(local) * DAY + secondOfDay(local) * SECOND;
  const before = offsetAt(asUtc - DAY, zone);
  const after = offsetAt(asUtc + DAY, zone);
  if (offsetAt(asUtc - before, zone) === before) return formatInstant(asUtc - before);
  return formatInstant(offsetAt(asUtc - after, zone) === after ? asUtc - after : asUtc - before);
}

/** anchor + g × interval as a local date-time: counted from the anchor, clamped to the month's end. */
export function gridPoint({ anchor, anchorDay, interval: { unit, count } }: Grid, gridIndex: number): string {
  const steps = gridIndex * count;
  const time = anchor.slice(10);
  if (unit === 'day' || unit === 'week') return addDays(dateOf(anchor), unit === 'day' ? steps : steps * 7) + time;
  const month = monthNumber(anchor) + (unit === 'month' ? steps : steps * 12);
  const [year, monthOfYear] = [Math.floor(month / 12), (month % 12) + 1];
  if (year < 1 || year > 9999) throw new DomainError('date-out-of-range');
  const day = Math.min(anchorDay ?? dayOfMonth(anchor), daysInMonth(year, monthOfYear));
  return `${four(year)}-${two(monthOfYear)}-${two(day)}${time}`;
}

/** The day of month that a grid in months or years keeps. */
export function gridDay({ anchor, anchorDay }: Grid): number {
  return anchorDay ?? dayOfMonth(anchor);
}

/** The period of the grid with that index. */
export function gridPeriod(grid: Grid, gridIndex: number): GridPeriod {
  return { gridIndex, from: gridPoint(grid, gridIndex), to: gridPoint(grid, gridIndex + 1) };
}

/** The period of the grid that holds an instant; its end is the first boundary strictly after it. Takes the same time however far away. */
export function gridPeriodAt(grid: Grid, zone: string, at: string): GridPeriod {
  const { unit, count } = grid.interval;
  const local = toLocal(at, zone);
  const months = monthNumber(local) - monthNumber(grid.anchor);
  const days = daysBetween(dateOf(grid.anchor), dateOf(local));
  const units = { day: days, week: days / 7, month: months, year: months / 12 }[unit];
  let gridIndex = Math.floor(units / count);
  // That point lies on the local date or in its month or before; the next one after it. Later on that date it is one too many.
  while (toInstant(gridPoint(grid, gridIndex), zone) > at) gridIndex -= 1;
  return gridPeriod(grid, gridIndex);
}

/** The grid of a day of month: that day in the month of `local`, and whole intervals from there. Raises `invalid-anchor`. */
export function gridOfDay(day: number, local: string, every: Interval): Grid {
  const counted = every.unit === 'month' || every.unit === 'year';
  if (!counted || !Number.isInteger(day) || day < 1 || day > 31) throw new DomainError('invalid-anchor');
  const [year, month] = [yearOf(local), monthOf(local)];
  const anchored = Math.min(day, daysInMonth(year, month));
  const anchor = startOfDay(`${four(year)}-${two(month)}-${two(anchored)}`);
  return { anchor, ...(anchored < day && { anchorDay: day }), interval: every };
}

/** The canonical form of milliseconds since 1970. Raises `date-out-of-range`. */
function formatInstant(milliseconds: number): string {
  const day = Math.floor(milliseconds / DAY);
  const rest = milliseconds - day * DAY;
  const seconds = Math.floor(rest / SECOND);
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${formatDay(day)}T${clock}.${(rest % SECOND).toString().padStart(3, '0')}Z`;
}

function toMilliseconds(text: string): number {
  const formed =
    typeof text === 'string' && /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/.test(text) && isDate(text);
  if (!formed) throw new DomainError('invalid-instant', `not an instant: ${JSON.stringify(text)}`);
  return epochDay(text) * DAY + secondOfDay(text) * SECOND + digits(text, 20, 23);
}

/** Offsets at UTC midnights: a cache, of which losing all changes nothing but time. */
const midnightOffsets = new Map<string, Map<number, number>>();
const KEPT_PER_ZONE = 8_000;

/** Milliseconds that a zone's wall clock is ahead of UTC at an instant. */
function offsetAt(milliseconds: number, zone: string): number {
  const day = Math.floor(milliseconds / DAY);
  const before = midnightOffset(day, zone);
  // No zone changes its offset and changes it back within one day.
  return before === midnightOffset(day + 1, zone) ? before : askOffset(milliseconds, zone);
}

function midnightOffset(day: number, zone: string): number {
  let days = midnightOffsets.get(zone);
  if (!days) midnightOffsets.set(zone, (days = new Map<number, number>()));
  let offset = days.get(day);
  if (offset === undefined) {
    offset = askOffset(day * DAY, zone);
    if (days.size >= KEPT_PER_ZONE) days.clear();
    days.set(day, offset);
  }
  return offset;
}

function askOffset(milliseconds: number, zone: string): number {
  const offset = Temporal.Instant.fromEpochMilliseconds(milliseconds).toZonedDateTimeISO(zone).offsetNanoseconds;
  // Local mean times of the 19th century have odd seconds, some data even less: whole milliseconds.
  return Math.round(offset / 1_000_000);
}

function unknownZone(name: string): DomainError {
  return new DomainError('unknown-time-zone', `unknown time zone: ${JSON.stringify(name)}`);
}

/* Dates as days since 1970-01-01 in the proleptic Gregorian calendar, after Hinnant's days_from_civil (eras of 400 years, years from March). */

function epochDay(text: string): number {
  const [year, month, day] = [yearOf(text), monthOf(text), dayOfMonth(text)];
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function formatDay(epoch: number): string {
  const shifted = epoch + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  if (year < 1 || year > 9999) throw new DomainError('date-out-of-range');
  return `${four(year)}-${two(month)}-${two(day)}`;
}

function isDate(text: string): boolean {
  const [year, month, day] = [yearOf(text), monthOf(text), dayOfMonth(text)];
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

const yearOf = (text: string) => digits(text, 0, 4);
const monthOf = (text: string) => digits(text, 5, 7);
const dayOfMonth = (text: string) => digits(text, 8, 10);
const monthNumber = (text: string) => yearOf(text) * 12 + monthOf(text) - 1;
const secondOfDay = (text: string) => digits(text, 11, 13) * 3600 + digits(text, 14, 16) * 60 + digits(text, 17, 19);
const two = (n: number) => n.toString().padStart(2, '0');
const four = (n: number) => n.toString().padStart(4, '0');

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i += 1) value = value * 10 + text.charCodeAt(i) - 48;
  return value;
}
