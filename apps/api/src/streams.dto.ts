import { ApiProperty } from '@nestjs/swagger';
import { IsUUID, Matches } from 'class-validator';
import { IsText, Optional } from './http/fields';
import { IsInstant } from './http/instant';
import { AsOfAnswer, LimitQuery, ListQuery } from './http/parameters.dto';

export class StreamsQuery extends ListQuery {
  /**
   * Kind of thing.
   * @example "subscription"
   */
  @Optional()
  @Matches(/^[a-z][a-z-]{0,39}$/, { message: '$property must be a kind of aggregate' })
  readonly aggregate?: string;

  @Optional()
  @IsUUID()
  readonly aggregateId?: string;

  @IsText(200, { optional: true })
  readonly customerId?: string;

  /** A subscription's external id, an invoice's number, a series, the name of an API key. */
  @IsText(200, { optional: true })
  readonly subject?: string;
}

export class StreamAnswer {
  readonly stream!: string;
  readonly aggregate!: string;
  readonly aggregateId!: string;
  readonly subject!: string | null;
  readonly customerId!: string | null;
  readonly firstRecordedAt!: string;
  readonly lastRecordedAt!: string;
  readonly revision!: string;
  readonly position!: string;
}

export class StreamPage {
  @ApiProperty({ type: [StreamAnswer] })
  readonly items!: readonly StreamAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}

export class DueBillingPeriodsQuery extends LimitQuery {
  /** Periods that have ended at this instant; the business time when left out. */
  @IsInstant({ optional: true })
  readonly at?: string;
}

export class DueBillingPeriodAnswer {
  readonly subscriptionId!: string;
  /** 0: the time before the start. */
  @ApiProperty({ type: 'integer' })
  readonly periodNumber!: number;
  readonly endsAt!: string;
  /** Billing is held: it waits until someone releases it. */
  readonly held!: boolean;
}

export class DueBillingPeriodsAnswer {
  /** Longest overdue first; those that are rolled over make room for the rest. */
  @ApiProperty({ type: [DueBillingPeriodAnswer] })
  readonly items!: readonly DueBillingPeriodAnswer[];
  readonly asOf!: AsOfAnswer;
}
