import { applyDecorators } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { IsInt, IsString, Matches, Max, MaxLength, Min, MinLength, ValidateBy, ValidateIf } from 'class-validator';

/** May be left out; null is a value, and a wrong one (class-validator's IsOptional would let it through). */
export const Optional = () => ValidateIf((_, value) => value !== undefined);

interface Presence {
  readonly optional?: boolean;
}

/** Text of people's: 1 to `longest` characters (UTF-16), neither blank nor with control characters. */
export function IsText(longest: number, { optional = false }: Presence = {}) {
  return applyDecorators(
    ...(optional ? [Optional()] : []),
    IsString(),
    MinLength(1),
    MaxLength(longest),
    Matches(/^(?=.*\S)\P{Cc}*$/u, { message: '$property must not be blank or hold control characters' }),
    ApiProperty({ required: !optional, type: 'string', minLength: 1, maxLength: longest }),
  );
}

/** A quantity or unit price: a decimal string, at most 12 digits before the point and 12 after it. */
export function IsDecimal({ optional = false, ...schema }: Presence & ApiPropertyOptions = {}) {
  return applyDecorators(
    ...(optional ? [Optional()] : []),
    Matches(/^(0|[1-9]\d{0,11})(\.\d{1,12})?$/, {
      message: '$property must be a decimal string such as "1999" or "0.04", not negative',
    }),
    ApiProperty({
      required: !optional,
      type: 'string',
      pattern: '^(0|[1-9]\\d{0,11})(\\.\\d{1,12})?$',
      ...(schema as object),
    }),
  );
}

/** A whole number of JSON within bounds that keep it exact. */
export function IsWhole(min: number, max: number, { optional = false }: Presence = {}) {
  return applyDecorators(
    ...(optional ? [Optional()] : []),
    IsInt(),
    Min(min),
    Max(max),
    ApiProperty({ required: !optional, type: 'integer', minimum: min, maximum: max }),
  );
}

/** What JavaScript treats apart is no name of metadata. */
const forbiddenNames = new Set(['__proto__', 'constructor', 'prototype']);

/** Flat strings: at most 50 names of 1 to 40 characters, each with a value that fits, 8,000 bytes in all. */
function isFlat(value: unknown, fits: (text: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= 50 &&
    entries.every(([name, text]) => /^\P{Cc}{1,40}$/u.test(name) && !forbiddenNames.has(name) && fits(text)) &&
    Buffer.byteLength(JSON.stringify(value)) <= 8_000
  );
}

const isValue = (text: unknown) => typeof text === 'string' && text.length <= 500 && /^\P{Cc}*$/u.test(text);

/** Flat strings: at most 50 names of 1 to 40 characters with values of up to 500; no name that JavaScript treats apart. */
export function IsMetadata() {
  return applyDecorators(
    Optional(),
    ValidateBy({
      name: 'isMetadata',
      validator: {
        validate: (value: unknown) => isFlat(value, isValue),
        defaultMessage: () =>
          '$property must be at most 50 flat strings (names up to 40 characters, values up to 500, 8,000 bytes in all)',
      },
    }),
    ApiProperty({
      selfRequired: false,
      description: 'Flat strings of the caller’s; at most 8,000 bytes in all',
      type: 'object',
      additionalProperties: { type: 'string', maxLength: 500 },
      maxProperties: 50,
    }),
  );
}

/** Names of metadata that are set, or with null taken away; the others stay. */
export function IsMetadataPatch({ optional = false }: Presence = {}) {
  return applyDecorators(
    ...(optional ? [Optional()] : []),
    ValidateBy({
      name: 'isMetadataPatch',
      validator: {
        validate: (value: unknown) => isFlat(value, (text) => text === null || isValue(text)),
        defaultMessage: () =>
          '$property must be at most 50 flat strings or nulls (names up to 40 characters, values up to 500)',
      },
    }),
    ApiProperty({
      selfRequired: !optional,
      description: 'Names that are set, or with null taken away; the others stay',
      type: 'object',
      additionalProperties: { type: ['string', 'null'] as never, maxLength: 500 },
      maxProperties: 50,
    }),
  );
}

/** `metadata[name]=value` in a query: rows that have all of them. */
export function IsMetadataFilter() {
  return applyDecorators(
    Optional(),
    ValidateBy({
      name: 'isMetadataFilter',
      validator: {
        validate: (value: unknown) => isFlat(value, isValue),
        defaultMessage: () => '$property must be given as metadata[name]=value, each name once',
      },
    }),
    ApiProperty({
      selfRequired: false,
      description: '`metadata[name]=value`, once or more: what has all of them',
      type: 'object',
      additionalProperties: { type: 'string', maxLength: 500 },
      maxProperties: 50,
    }),
  );
}

/** Minor units in a query: a whole number as a string, which may be negative. */
export function IsMinorUnits() {
  return applyDecorators(
    Optional(),
    Matches(/^(0|-?[1-9]\d{0,17})$/, { message: '$property must be a whole number of minor units such as "1999"' }),
    ApiProperty({ required: false, type: 'string', pattern: '^(0|-?[1-9]\\d{0,17})$', example: '1999' }),
  );
}

/** A code of ISO 4217 in a query. */
export function IsCurrencyFilter() {
  return applyDecorators(
    Optional(),
    Matches(/^[A-Z]{3}$/, { message: '$property must be an ISO 4217 code' }),
    ApiProperty({ required: false, type: 'string', pattern: '^[A-Z]{3}$', example: 'USD' }),
  );
}
