import { ApiProperty } from '@nestjs/swagger';
import { Matches } from 'class-validator';
import { IsText, Optional } from './http/fields';
import { IsInstant } from './http/instant';
import { SubscriptionPath } from './http/parameters.dto';

const revision = /^(0|[1-9]\d{0,17})$/;
const point = /^((0|[1-9]\d{0,17})|\d{4}-\d\d-\d\dT.{1,20}Z)$/;

export class StreamPath {
  /**
   * As /v1/streams lists it.
   * @example "perennial.subscription-0b7e6c1e-0000-5000-8000-000000000000"
   */
  @IsText(200)
  readonly stream!: string;
}

export class StreamEventsQuery {
  /** The first revision of the page; `nextRevision` of the page before. */
  @Optional()
  @Matches(revision, { message: '$property must be a revision' })
  readonly fromRevision?: string;

  /** Events in a page: 1 to 1000, 100 when left out. */
  @Optional()
  @Matches(/^([1-9]\d{0,2}|1000)$/, { message: '$property must be a whole number from 1 to 1000' })
  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 1000, default: 100 })
  readonly limit?: string;
}

/** A point in the life of a subscription: one of the two. */
export class PointQuery {
  /** After the event of this revision. */
  @Optional()
  @Matches(revision, { message: '$property must be a revision' })
  readonly atRevision?: string;

  /** Before the first event recorded after this instant. */
  @IsInstant({ optional: true })
  readonly at?: string;
}

export class DiffQuery {
  /**
   * A revision or an instant.
   * @example "0"
   */
  @Matches(point, { message: '$property must be a revision or an instant' })
  readonly from!: string;

  /**
   * A revision or an instant.
   * @example "2"
   */
  @Matches(point, { message: '$property must be a revision or an instant' })
  readonly to!: string;
}

export class StoredAnswer {
  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly data!: unknown;
  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly metadata!: unknown;
}

/** An event as an auditor reads it. */
export class AuditedEventAnswer {
  readonly revision!: string;
  readonly position!: string;
  readonly id!: string;
  readonly type!: string;
  readonly recordedAt!: string | null;
  readonly hash!: string | null;
  /** Whether its hash follows from its content and the event before it. */
  readonly chainHolds!: boolean;
  /** What is wrong with it. */
  @ApiProperty({ type: [String] })
  readonly problems!: readonly string[];
  /** In today's shape; null when it cannot be decoded. */
  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true })
  readonly data!: unknown;
  /** Data and metadata exactly as stored. */
  readonly stored!: StoredAnswer;
}

export class StreamEventsAnswer {
  readonly stream!: string;
  readonly aggregate!: string;
  readonly aggregateId!: string;
  @ApiProperty({ type: [AuditedEventAnswer] })
  readonly events!: readonly AuditedEventAnswer[];
  /** Where the next page begins; null at the end of the stream. */
  readonly nextRevision!: string | null;
  /** Whether the chain holds in this page and from the event before it. */
  readonly chainHolds!: boolean;
}

export class SubscriptionAtAnswer {
  /** Of the last event that made it. */
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
  /** The state that decisions are made on, with the open period in it. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly subscription!: unknown;
}

/** What was used in one period of a subscription. */
export class UsagePath extends SubscriptionPath {
  @Matches(/^[1-9]\d{0,8}$/, { message: '$property must be the number of a period' })
  @ApiProperty({ type: 'integer', minimum: 1 })
  readonly periodNumber!: string;
}

export class UsageAtAnswer {
  /** Of the last event that made it, in the stream of the period's usage. */
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
  /** The state that decisions are made on: meters, segments and what is measured so far, without the records. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  readonly usage!: unknown;
}

export class PointAnswer {
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

const anyJson = {
  nullable: true,
  oneOf: [
    { type: 'object', additionalProperties: true },
    { type: 'array', items: {} },
    { type: 'string' },
    { type: 'number' },
    { type: 'boolean' },
  ],
};

export class FieldChangeAnswer {
  /** JSON Pointer into the state. */
  readonly path!: string;
  @ApiProperty({ ...anyJson, required: false, description: 'Absent where the field did not exist' })
  readonly before?: unknown;
  @ApiProperty({ ...anyJson, required: false, description: 'Absent where the field does not exist any more' })
  readonly after?: unknown;
}

export class EventSummaryAnswer {
  readonly revision!: string;
  readonly type!: string;
  readonly recordedAt!: string;
  readonly effectiveAt!: string | null;
  readonly principal!: string;
  readonly actor!: string | null;
  readonly reason!: string | null;
  readonly key!: string;
}

export class SubscriptionDiffAnswer {
  readonly from!: PointAnswer;
  readonly to!: PointAnswer;
  @ApiProperty({ type: [FieldChangeAnswer] })
  readonly changes!: readonly FieldChangeAnswer[];
  /** The events after `from` up to `to`, oldest first, at most 1,000. */
  @ApiProperty({ type: [EventSummaryAnswer] })
  readonly events!: readonly EventSummaryAnswer[];
  /** Where the events go on when there are more. */
  readonly nextRevision!: string | null;
}
