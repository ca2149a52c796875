import { applyDecorators, HttpCode, type Type } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiExtraModels,
  ApiHeader,
  ApiOperation,
  ApiProperty,
  ApiResponse,
  getSchemaPath,
} from '@nestjs/swagger';
import { type ProblemCode, problems } from './problem';
import type { Scope } from './principal';
import { Requires } from './scopes.guard';

/** One thing that is wrong with a request. */
export class FieldErrorAnswer {
  @ApiProperty({ description: 'JSON pointer into the body, or `/name` of a parameter', example: '/items/0/quantity' })
  readonly pointer!: string;
  @ApiProperty()
  readonly message!: string;
}

/** A refusal as RFC 9457 problem details. */
export class ProblemAnswer {
  @ApiProperty({ format: 'uri-reference', description: 'The page of the catalogue that explains the code' })
  readonly type!: string;
  @ApiProperty()
  readonly title!: string;
  @ApiProperty({ type: 'integer' })
  readonly status!: number;
  @ApiProperty()
  readonly detail!: string;
  @ApiProperty({ format: 'uri-reference' })
  readonly instance!: string;
  @ApiProperty({ enum: Object.keys(problems), enumName: 'ProblemCode', description: 'Stable; decide on this' })
  readonly code!: ProblemCode;
  @ApiProperty({ type: [FieldErrorAnswer], required: false })
  readonly errors?: readonly FieldErrorAnswer[];
  @ApiProperty()
  readonly correlationId!: string;
  @ApiProperty({ description: 'The same request, with the same Idempotency-Key, may succeed later' })
  readonly retryable!: boolean;
  @ApiProperty({ required: false, pattern: '^\\d+$', description: 'With `revision-mismatch`: the revision to read' })
  readonly currentRevision?: string;
  @ApiProperty({
    selfRequired: false,
    type: 'object',
    additionalProperties: true,
    description: 'What the meaning of the code names, such as the earliest end',
  })
  readonly details?: Readonly<Record<string, string | number>>;
}

const everywhere: readonly ProblemCode[] = ['unauthenticated', 'rate-limited'];

const ofCommands: readonly ProblemCode[] = [
  'malformed-request',
  'invalid-request',
  'idempotency-key-missing',
  'invalid-if-match',
  'revision-mismatch',
  'body-too-large',
  'unsupported-media-type',
  'idempotency-key-reused',
  'outcome-unknown',
  'too-much-contention',
  'queue-full',
  'store-unavailable',
];

const ofReads: readonly ProblemCode[] = ['store-unavailable'];

const ofReadModels: readonly ProblemCode[] = [
  'invalid-request',
  'unknown-position',
  'not-yet-visible',
  'read-models-unavailable',
];

export interface OperationOptions {
  readonly scope: Scope | 'any-key' | 'nothing';
  readonly summary: string;
  readonly description?: string;
  readonly answer: Type;
  readonly status?: 200 | 201;
  /** A read model's list page by page, its first rows, or one thing of it; all can be asked to wait for a position. */
  readonly kind?: 'list' | 'rows' | 'one';
  /** What it may answer besides that which every operation of its kind may. */
  readonly problems?: readonly ProblemCode[];
}

/** A route that reads: its scope, and all of its answers for OpenAPI. */
export function Reads(options: OperationOptions) {
  const usual = options.kind === undefined ? ofReads : [...ofReads, ...ofReadModels];
  const codes: readonly ProblemCode[] = options.kind === 'list' ? [...usual, 'invalid-cursor'] : usual;
  return operation(options, codes, options.kind === 'one' ? { ETag: 'The revision that was read, quoted' } : {});
}

/** A route that executes a command: key, If-Match and who asks in headers, and all of its answers for OpenAPI. */
export function Commands(
  options: OperationOptions & {
    readonly body?: Type;
    /** What other commands may answer and this one never does. */
    readonly never?: readonly ProblemCode[];
  },
) {
  const { never = [] } = options;
  return applyDecorators(
    operation(
      options,
      ofCommands.filter((code) => !never.includes(code)),
      {
        ETag: 'The revision after this command, quoted',
        'Perennial-Position': 'Position in the log; `minPosition` of a read that must see this',
        'Idempotent-Replayed': '`true` when the key had been used before and this is its first answer',
        ...(options.status === 201 && { Location: 'Path of what was created' }),
      },
    ),
    ...(options.body ? [ApiBody({ type: options.body })] : []),
    ApiHeader({
      name: 'Idempotency-Key',
      required: true,
      description: 'Names this command; repeating it with the same key gives the first answer, for ever',
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x20-\\x7e]+$' },
    }),
    ApiHeader({
      name: 'If-Match',
      required: false,
      description: 'The revision that the command is meant for, as ETag gave it: "7". Another one is 412. `*`: any.',
      schema: { type: 'string', pattern: '^("\\d{1,18}"|\\*)$' },
    }),
    ApiHeader({
      name: 'X-Actor',
      required: false,
      description: 'The person on whose behalf the calling service acts; recorded',
      schema: { type: 'string', maxLength: 200 },
    }),
    ApiHeader({
      name: 'X-Reason',
      required: false,
      description: 'Why; recorded for the audit',
      schema: { type: 'string', maxLength: 500 },
    }),
    ApiHeader({
      name: 'X-Correlation-Id',
      required: false,
      description: 'Names what this command belongs to; recorded, logged and given back. One is made when left out.',
      schema: { type: 'string', maxLength: 128, pattern: '^[\\x21-\\x7e]+$' },
    }),
    ApiHeader({
      name: 'traceparent',
      required: false,
      description: 'W3C trace context; recorded',
      schema: { type: 'string' },
    }),
  );
}

function operation(
  { scope, summary, description, answer, status = 200, problems: own = [] }: OperationOptions,
  usual: readonly ProblemCode[],
  headers: Readonly<Record<string, string>>,
) {
  const codes: ProblemCode[] = scope === 'nothing' ? [...own] : [...everywhere, ...usual, ...own];
  if (scope !== 'nothing' && scope !== 'any-key') codes.push('insufficient-scope');
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    byStatus.set(problems[code].status, [...(byStatus.get(problems[code].status) ?? []), code]);
  }
  const needs = scope === 'nothing' ? 'No API key.' : scope === 'any-key' ? 'Any API key.' : `Scope \`${scope}\`.`;
  return applyDecorators(
    Requires(scope),
    HttpCode(status),
    ApiOperation({ summary, description: [description, needs].filter(Boolean).join('\n\n') }),
    ApiExtraModels(ProblemAnswer, answer),
    ...(scope === 'nothing' ? [] : [ApiBearerAuth('apiKey')]),
    ApiResponse({
      status,
      description: 'Done',
      type: answer,
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, about]) => [name, { description: about, schema: { type: 'string' } }]),
      ),
    }),
    ...(status === 201
      ? [ApiResponse({ status: 200, description: 'A dry run: what would be created', type: answer })]
      : []),
    ...[...byStatus].map(([refused, reasons]) =>
      ApiResponse({
        status: refused,
        description: reasons.map((code) => `\`${code}\`: ${problems[code].title}`).join('\n\n'),
        content: {
          'application/problem+json': {
            schema: {
              allOf: [{ $ref: getSchemaPath(ProblemAnswer) }],
              properties: { code: { type: 'string', enum: reasons } },
            },
          },
        },
        ...(reasons.some((code) => problems[code].retryable) && {
          headers: { 'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer' } } },
        }),
      }),
    ),
  );
}
