import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsUUID } from 'class-validator';
import { IsCurrencyFilter, IsText, Optional } from './http/fields';
import { IsLocalDate } from './http/instant';
import { LineAnswer } from './http/line.dto';
import { MoneyAnswer } from './http/money.dto';
import { AsOfAnswer, OrderedListQuery } from './http/parameters.dto';

export class CreditNotePath {
  @IsUUID()
  readonly creditNoteId!: string;
}

export class CreditNotesQuery extends OrderedListQuery {
  @IsText(200, { optional: true })
  readonly customerId?: string;

  @Optional()
  @IsUUID()
  readonly subscriptionId?: string;

  /** The subscription's external id. */
  @IsText(200, { optional: true })
  readonly externalId?: string;

  @Optional()
  @IsIn(['draft', 'issued'])
  readonly status?: 'draft' | 'issued';

  /** As printed. */
  @IsText(100, { optional: true })
  readonly number?: string;

  @IsCurrencyFilter()
  readonly currency?: string;

  /** Issued on this date or later. */
  @IsLocalDate({ optional: true })
  readonly issuedFrom?: string;

  /** Issued before this date. */
  @IsLocalDate({ optional: true })
  readonly issuedBefore?: string;
}

export class CreditNoteSummaryAnswer {
  readonly creditNoteId!: string;
  readonly subscriptionId!: string;
  /** Counts up from 1 in a subscription, together with the bills that are invoiced. */
  @ApiProperty({ type: 'integer' })
  readonly billNumber!: number;
  /** The billing period that the bill belongs to. */
  @ApiProperty({ type: 'integer' })
  readonly periodNumber!: number;
  /** What caused the bill. */
  readonly cause!: string;
  readonly customerId!: string;
  readonly status!: 'draft' | 'issued';
  /** As printed; null on a draft. */
  readonly number!: string | null;
  /** Local date of issuing. */
  readonly issuedOn!: string | null;
  readonly timeZone!: string;
  /** Above zero: what the customer’s balance is granted. */
  readonly total!: MoneyAnswer;
  @ApiProperty({ type: 'integer' })
  readonly lineCount!: number;
  readonly draftedAt!: string;
  readonly issuedAt!: string | null;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class CreditNoteFound extends CreditNoteSummaryAnswer {
  /** Those below zero name the lines that they correct. */
  @ApiProperty({ type: [LineAnswer] })
  readonly lines!: readonly LineAnswer[];
  readonly asOf!: AsOfAnswer;
}

export class CreditNotePage {
  @ApiProperty({ type: [CreditNoteSummaryAnswer] })
  readonly items!: readonly CreditNoteSummaryAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}
