import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsUUID } from 'class-validator';
import { BillToAnswer, ErasedAnswer } from './customers.dto';
import { IsCurrencyFilter, IsMetadataFilter, IsMinorUnits, IsText, Optional } from './http/fields';
import { IsInstant, IsLocalDate } from './http/instant';
import { LineAnswer } from './http/line.dto';
import { MoneyAnswer } from './http/money.dto';
import { AsOfAnswer, OrderedListQuery } from './http/parameters.dto';

export class InvoicePath {
  @IsUUID()
  readonly invoiceId!: string;
}

export class VoidInvoiceBody {
  /** true: the lines go on a new bill at once. false: nobody is charged for them again. */
  @IsBoolean()
  readonly rebill!: boolean;

  /** As it stands in the books. */
  @IsText(500)
  readonly reason!: string;
}

export class InvoicesQuery extends OrderedListQuery {
  @IsText(200, { optional: true })
  readonly customerId?: string;

  @Optional()
  @IsUUID()
  readonly subscriptionId?: string;

  /** The subscription's external id. */
  @IsText(200, { optional: true })
  readonly externalId?: string;

  @Optional()
  @IsIn(['draft', 'finalised', 'voided'])
  readonly status?: 'draft' | 'finalised' | 'voided';

  /** As printed. */
  @IsText(100, { optional: true })
  readonly number?: string;

  @IsCurrencyFilter()
  readonly currency?: string;

  /** Of the invoice itself. */
  @IsMetadataFilter()
  readonly metadata?: Record<string, string>;

  /** Issued on this date or later. */
  @IsLocalDate({ optional: true })
  readonly issuedFrom?: string;

  /** Issued before this date. */
  @IsLocalDate({ optional: true })
  readonly issuedBefore?: string;

  /** Drafted at this instant or after it. */
  @IsInstant({ optional: true })
  readonly draftedFrom?: string;

  /** Drafted before this instant. */
  @IsInstant({ optional: true })
  readonly draftedBefore?: string;

  /** Of this many minor units or more. */
  @IsMinorUnits()
  readonly totalFrom?: string;

  /** Of this many minor units or fewer. */
  @IsMinorUnits()
  readonly totalTo?: string;

  /** With this many minor units due or more. */
  @IsMinorUnits()
  readonly amountDueFrom?: string;

  /** With this many minor units due or fewer. */
  @IsMinorUnits()
  readonly amountDueTo?: string;

  /** Due on this date or later. */
  @IsLocalDate({ optional: true })
  readonly dueFrom?: string;

  /** Due before this date. */
  @IsLocalDate({ optional: true })
  readonly dueBefore?: string;
}

export class VoidedAnswer {
  readonly at!: string;
  readonly reason!: string;
  /** Whether its lines went on a new bill; else they were waived. */
  readonly rebill!: boolean;
}

export class InvoiceSummaryAnswer {
  readonly invoiceId!: string;
  readonly subscriptionId!: string;
  /** Counts up from 1 in a subscription. */
  @ApiProperty({ type: 'integer' })
  readonly billNumber!: number;
  /** The billing period that the bill belongs to. */
  @ApiProperty({ type: 'integer' })
  readonly periodNumber!: number;
  /** What caused the bill. */
  readonly cause!: string;
  readonly customerId!: string;
  readonly status!: 'draft' | 'finalised' | 'voided';
  /** As printed; null on a draft. */
  readonly number!: string | null;
  readonly series!: string | null;
  /** Local date of finalising. */
  readonly issuedOn!: string | null;
  readonly dueOn!: string | null;
  readonly timeZone!: string;
  @ApiProperty({ type: 'integer' })
  readonly paymentTermsDays!: number;
  readonly subtotal!: MoneyAnswer;
  readonly taxTotal!: MoneyAnswer;
  readonly total!: MoneyAnswer;
  /** What the customer's balance has settled. */
  readonly creditApplied!: MoneyAnswer;
  /** The rest; 0 when it is voided. */
  readonly amountDue!: MoneyAnswer;
  @ApiProperty({ type: 'integer' })
  readonly lineCount!: number;
  /** A draft that waits until someone asks for its finalising. */
  readonly waits!: boolean;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  readonly metadata!: Record<string, string>;
  readonly draftedAt!: string;
  readonly finalisedAt!: string | null;
  /** Null unless it is voided. */
  @ApiProperty({ type: VoidedAnswer, nullable: true })
  readonly voided!: VoidedAnswer | null;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class TaxAnswer {
  readonly code!: string;
  readonly amount!: MoneyAnswer;
}

@ApiExtraModels(BillToAnswer, ErasedAnswer)
export class InvoiceFound extends InvoiceSummaryAnswer {
  /** Who was billed, as the customer had it when it was finalised; null in a draft and where nobody was named. */
  @ApiProperty({
    nullable: true,
    anyOf: [{ $ref: getSchemaPath(ErasedAnswer) }, { $ref: getSchemaPath(BillToAnswer) }],
  })
  readonly billTo!: BillToAnswer | ErasedAnswer | null;
  @ApiProperty({ type: [LineAnswer] })
  readonly lines!: readonly LineAnswer[];
  @ApiProperty({ type: [TaxAnswer] })
  readonly taxes!: readonly TaxAnswer[];
  readonly asOf!: AsOfAnswer;
}

export class InvoicePage {
  @ApiProperty({ type: [InvoiceSummaryAnswer] })
  readonly items!: readonly InvoiceSummaryAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}
