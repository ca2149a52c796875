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

/** Flat strings: at most 50 names of 1 to 40 characters with values of up to 500; no name that JavaScript treats apart. */
export function IsMetadata() {
  const forbidden = new Set(['__proto__', 'constructor', 'prototype']);
  return applyDecorators(
    Optional(),
    ValidateBy({
      name: 'isMetadata',
      validator: {
        validate: (value: unknown) => {
          if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
          const entries = Object.entries(value);
          return (
            entries.length <= 50 &&
            entries.every(
              ([name, text]) =>
                /^\P{Cc}{1,40}$/u.test(name) &&
                !forbidden.has(name) &&
                typeof text === 'string' &&
                text.length <= 500 &&
                /^\P{Cc}*$/u.test(text),
            ) &&
            Buffer.byteLength(JSON.stringify(value)) <= 8_000
          );
        },
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
