import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsObject,
  IsString,
  IsUUID,
  Matches,
  MaxLength,
  MinLength,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { IsMetadata, IsText, Optional } from './http/fields';
import { IsInstant } from './http/instant';

/** Records that have, of one property, one of these values. */
export class MeterFilterBody {
  @IsText(40)
  readonly property!: string;

  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(20)
  @ArrayUnique()
  @IsString({ each: true })
  @MinLength(1, { each: true })
  @MaxLength(200, { each: true })
  readonly values!: readonly string[];
}

/** What usage is measured by. Its key stands for one definition for as long as a subscription lives. */
export class MeterBody {
  /** @example "api-calls" */
  @Matches(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$/)
  @ApiProperty({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$', example: 'api-calls' })
  readonly key!: string;

  /** The name of the records that it reads; the key when left out. */
  @IsText(100, { optional: true })
  readonly event?: string;

  /** weighted-sum: values change a level, and its mean over the period is measured. */
  @IsIn(['sum', 'count', 'max', 'latest', 'unique-count', 'weighted-sum'])
  readonly aggregation!: 'sum' | 'count' | 'max' | 'latest' | 'unique-count' | 'weighted-sum';

  /** The property that holds a record's value; its own `value` when left out. */
  @IsText(40, { optional: true })
  readonly valueProperty?: string;

  /** Of unique-count: the property whose values are counted. */
  @IsText(40, { optional: true })
  readonly uniqueProperty?: string;

  /** Only records that pass all of these count. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(10)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => MeterFilterBody)
  @ApiProperty({ type: [MeterFilterBody], required: false, maxItems: 10 })
  readonly filters?: readonly MeterFilterBody[];

  /** latest and weighted-sum: a period starts from the last value of the one before; from nothing when left out. */
  @Optional()
  @IsBoolean()
  readonly carry?: boolean;

  /** What becomes of a record whose period is sealed: it counts in the open period, or is refused. */
  @Optional()
  @IsIn(['accept', 'refuse'])
  readonly late?: 'accept' | 'refuse';
}

/** One thing that was used. */
export class UsageRecordBody {
  /** Of the caller's: in the period that holds its time it counts once, however often it is sent. */
  @IsText(100)
  readonly id!: string;

  /** The name that meters read. */
  @IsText(100)
  readonly event!: string;

  /** When it was used. */
  @IsInstant()
  readonly at!: string;

  /** A decimal string; a change of a level, or a correction of a sum, may be below zero. */
  @Optional()
  @Matches(/^-?(0|[1-9]\d{0,14})(\.\d{1,12})?$/, { message: '$property must be a decimal string such as "1.5"' })
  @ApiProperty({ required: false, type: 'string', pattern: '^-?(0|[1-9]\\d{0,14})(\\.\\d{1,12})?$', example: '1' })
  readonly value?: string;

  @IsMetadata()
  readonly properties?: Record<string, string>;

  /** Whose it is: a subscription, by its id or external id, or the one of a customer that measures this event. */
  @Optional()
  @IsUUID()
  readonly subscriptionId?: string;

  @IsText(200, { optional: true })
  readonly externalId?: string;

  @IsText(200, { optional: true })
  readonly customerId?: string;
}

const addressed = ({ subscriptionId, externalId, customerId }: UsageRecordBody) =>
  [subscriptionId, externalId, customerId].filter((each) => each !== undefined).length === 1;

export class RecordUsageBody {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(1_000)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @ValidateBy({
    name: 'areAddressed',
    validator: {
      validate: (records: unknown) =>
        !Array.isArray(records) ||
        records.every((each) => typeof each !== 'object' || each === null || addressed(each as UsageRecordBody)),
      defaultMessage: () => 'each record must name one of subscriptionId, externalId and customerId',
    },
  })
  @Type(() => UsageRecordBody)
  readonly records!: UsageRecordBody[];
}

export class UsageRecordAnswer {
  readonly id!: string;
  /**
   * `failed`: nothing is known of it; send it again, it counts once. `late-accepted`: its period is sealed, so it counts in another.
   */
  readonly result!: 'accepted' | 'duplicate' | 'late-accepted' | 'refused' | 'failed';
  /** The period that holds its time. */
  @ApiProperty({ type: 'integer', required: false })
  readonly periodNumber?: number;
  /** `late-accepted`: the period that it counts in. */
  @ApiProperty({ type: 'integer', required: false })
  readonly countsIn?: number;
  /** Why it was refused, or failed. */
  readonly code?: string;
}

export class UsageReportAnswer {
  /** In the order of the request. */
  @ApiProperty({ type: [UsageRecordAnswer] })
  readonly records!: readonly UsageRecordAnswer[];
  /** Position of the last event in the log; "0" when nothing was recorded. */
  readonly position!: string;
  readonly dryRun!: boolean;
}

export class UsageQuery {
  /** The open period, else the last one, when left out. */
  @Optional()
  @Matches(/^[1-9]\d{0,8}$/, { message: '$property must be the number of a period' })
  @ApiProperty({ required: false, type: 'integer', minimum: 1 })
  readonly periodNumber?: string;
}

export class UsageRecordsQuery extends UsageQuery {
  /** Rows in a page: 1 to 200, 50 when left out. */
  @Optional()
  @Matches(/^([1-9]\d?|1\d\d|200)$/, { message: '$property must be a whole number from 1 to 200' })
  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 200, default: 50 })
  readonly limit?: string;

  /** `nextCursor` of the page before. */
  @Optional()
  @MaxLength(200)
  @Matches(/^[A-Za-z0-9_-]+$/, { message: '$property must be a nextCursor' })
  readonly cursor?: string;
}

export class MeterTotalAnswer {
  readonly meter!: string;
  readonly event!: string;
  readonly aggregation!: 'sum' | 'count' | 'max' | 'latest' | 'unique-count' | 'weighted-sum';
  @ApiProperty({ type: 'integer' })
  readonly records!: number;
  readonly quantity!: string;
}

export class SegmentMeterAnswer {
  readonly meter!: string;
  @ApiProperty({ type: 'integer' })
  readonly records!: number;
  readonly quantity!: string;
  /** Values of the first records in order of time, as far as a percentage asks for them. */
  @ApiProperty({ type: [String], required: false })
  readonly first?: readonly string[];
}

export class UsageSegmentAnswer {
  readonly from!: string;
  @ApiProperty({ type: [SegmentMeterAnswer] })
  readonly meters!: readonly SegmentMeterAnswer[];
}

export class UsageAnswer {
  readonly subscriptionId!: string;
  @ApiProperty({ type: 'integer' })
  readonly periodNumber!: number;
  /** `none`: nothing is measured, or was recorded yet. */
  readonly status!: 'none' | 'open' | 'sealed';
  readonly startsAt!: string | null;
  readonly endsAt!: string | null;
  /** Records that count in the period. */
  @ApiProperty({ type: 'integer' })
  readonly records!: number;
  @ApiProperty({ type: [MeterTotalAnswer] })
  readonly meters!: readonly MeterTotalAnswer[];
  /** Stretches of the period under terms of their own. */
  @ApiProperty({ type: [UsageSegmentAnswer] })
  readonly segments!: readonly UsageSegmentAnswer[];
  /** It holds every event of the subscription and of this usage up to this position of the log. */
  @ApiProperty({ type: 'string', pattern: '^\\d+$' })
  readonly position!: string;
}

export class RecordedUsageAnswer {
  readonly id!: string;
  readonly event!: string;
  readonly at!: string;
  readonly value?: string;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, selfRequired: false })
  readonly properties?: Readonly<Record<string, string>>;
  /** `late-in`: its period was sealed, it counts in `otherPeriod`. `late-from`: it came from there. */
  readonly counts!: 'here' | 'late-from' | 'late-in';
  @ApiProperty({ type: 'integer', nullable: true })
  readonly otherPeriod!: number | null;
  readonly recordedAt!: string;
  /** Of the event that holds it, in the stream of the period's usage. */
  readonly revision!: string;
}

export class UsageRecordPageAnswer {
  @ApiProperty({ type: [RecordedUsageAnswer] })
  readonly items!: readonly RecordedUsageAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  /** The list holds every event of this usage up to this position of the log; "0" when there is none. */
  @ApiProperty({ type: 'string', pattern: '^\\d+$' })
  readonly position!: string;
}
