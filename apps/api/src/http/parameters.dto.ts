import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsUUID, Matches, MaxLength } from 'class-validator';
import { IsMetadataPatch, Optional } from './fields';

/** What every command takes in its query. */
export class CommandQuery {
  /** `true`: decide and answer with the events that would be recorded, and record nothing. */
  @Optional()
  @IsIn(['true', 'false'])
  readonly dryRun?: 'true' | 'false';
}

/** What every read model takes in its query. */
export class ReadQuery {
  /** `Perennial-Position` of an answer: wait (bounded) until this read has seen it. */
  @Optional()
  @Matches(/^\d{1,18}$/, { message: '$property must be a position as an answer gave it' })
  readonly minPosition?: string;
}

/** How many rows to answer with. */
export class LimitQuery extends ReadQuery {
  /** Rows in a page: 1 to 200, 50 when left out. */
  @Optional()
  @Matches(/^([1-9]\d?|1\d\d|200)$/, { message: '$property must be a whole number from 1 to 200' })
  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 200, default: 50 })
  readonly limit?: string;
}

/** What every list takes in its query. */
export class ListQuery extends LimitQuery {
  /** `nextCursor` of the page before. */
  @Optional()
  @MaxLength(200)
  @Matches(/^[A-Za-z0-9_-]+$/, { message: '$property must be a nextCursor' })
  readonly cursor?: string;
}

/** A list that can be read from its newest row on. */
export class OrderedListQuery extends ListQuery {
  /** `oldest` first, when left out, or `newest` first. */
  @Optional()
  @IsIn(['oldest', 'newest'])
  readonly order?: 'oldest' | 'newest';
}

/** What the caller noted on a thing. */
export class MetadataBody {
  @IsMetadataPatch()
  readonly metadata!: Record<string, string | null>;
}

export class SubscriptionPath {
  @IsUUID()
  readonly subscriptionId!: string;
}

/** The number of rows that a validated `limit` asks for. */
export function pageOf(limit: string | undefined): number | undefined {
  return limit === undefined ? undefined : Number(limit);
}

/** How current the answer is. */
export class AsOfAnswer {
  /** The rows hold everything up to this position of the log; null: nothing yet. */
  @ApiProperty({ type: 'string', pattern: '^\\d+$', nullable: true })
  readonly position!: string | null;
  /** Ms since the rows last held everything that was in the store; null: never yet. */
  @ApiProperty({ type: 'integer', nullable: true })
  readonly lagMs!: number | null;
  /** Streams that are missing events, because the model failed on one of them. */
  @ApiProperty({ type: 'integer' })
  readonly incomplete!: number;
  /** `building`: the model is being built and its rows are not all there. */
  readonly state!: 'live' | 'building';
}
