import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy } from 'class-validator';
import { Optional } from './fields';

const pattern = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,3})?Z$/;

/** An instant in UTC to the millisecond, of the years 1900 to 2999, that the calendar has. */
export function isInstant(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  const day = pattern.exec(value)?.[1];
  if (day === undefined || day < '1900' || day >= '3000') return false;
  const milliseconds = Date.parse(value);
  return !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(day);
}

/** The one form in which instants are stored and compared, of an instant that has been validated. */
export function canonicalInstant(text: string): string;
export function canonicalInstant(text: string | undefined): string | undefined;
export function canonicalInstant(text: string | undefined): string | undefined {
  return text === undefined ? undefined : new Date(text).toISOString();
}

export function IsInstant({ optional = false }: { readonly optional?: boolean } = {}) {
  return applyDecorators(
    ...(optional ? [Optional()] : []),
    ValidateBy({
      name: 'isInstant',
      validator: {
        validate: isInstant,
        defaultMessage: () => '$property must be an instant in UTC such as 2026-01-31T09:00:00Z',
      },
    }),
    ApiProperty({ required: !optional, type: 'string', format: 'date-time', example: '2026-01-31T09:00:00.000Z' }),
  );
}

/** A day of the calendar, of the years 1900 to 2999. */
export function isLocalDate(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && isInstant(`${value}T00:00:00Z`);
}

export function IsLocalDate({ optional = false }: { readonly optional?: boolean } = {}) {
  return applyDecorators(
    ...(optional ? [Optional()] : []),
    ValidateBy({
      name: 'isLocalDate',
      validator: { validate: isLocalDate, defaultMessage: () => '$property must be a date such as 2026-01-31' },
    }),
    ApiProperty({ required: !optional, type: 'string', format: 'date', example: '2026-01-31' }),
  );
}
