import { ApiProperty } from '@nestjs/swagger';
import { LineAnswer } from './http/line.dto';
import { MoneyAnswer } from './http/money.dto';
import { TaxAnswer } from './invoices.dto';

export class UpcomingDocumentAnswer {
  /** A bill below zero becomes a credit note. */
  readonly kind!: 'invoice' | 'credit-note';
  @ApiProperty({ type: 'integer' })
  readonly billNumber!: number;
  /** The billing period that the bill belongs to. */
  @ApiProperty({ type: 'integer' })
  readonly periodNumber!: number;
  readonly cause!: string;
  readonly customerId!: string;
  readonly timeZone!: string;
  @ApiProperty({ type: 'integer' })
  readonly paymentTermsDays!: number;
  /** The boundary at which it is billed. */
  readonly billsAt!: string;
  /** Local date on which it is issued when nothing is late. */
  readonly issuedOn!: string;
  /** Null of a credit note. */
  readonly dueOn!: string | null;
  @ApiProperty({ type: [LineAnswer] })
  readonly lines!: readonly LineAnswer[];
  /** Sum of the discount lines, which the subtotal contains: 0 or below. */
  readonly discounts!: MoneyAnswer;
  readonly subtotal!: MoneyAnswer;
  @ApiProperty({ type: [TaxAnswer] })
  readonly taxes!: readonly TaxAnswer[];
  /** Of a credit note: what it gives back, above zero. */
  readonly total!: MoneyAnswer;
  /** What the customer's balance would settle of it, as it stands. */
  readonly creditApplied!: MoneyAnswer;
  readonly amountDue!: MoneyAnswer;
}

export class UpcomingInvoiceAnswer {
  readonly subscriptionId!: string;
  /** Null: none is to come. */
  @ApiProperty({ type: UpcomingDocumentAnswer, nullable: true })
  readonly upcoming!: UpcomingDocumentAnswer | null;
  /** Why none is to come; null when one is. */
  @ApiProperty({
    enum: ['subscription-canceled', 'subscription-paused', 'billing-held', 'nothing-to-bill'],
    nullable: true,
  })
  readonly reason!: 'subscription-canceled' | 'subscription-paused' | 'billing-held' | 'nothing-to-bill' | null;
  /** Revision of the subscription that it was computed from. */
  readonly revision!: string;
}
