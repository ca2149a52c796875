import { ApiProperty } from '@nestjs/swagger';
import { IsUUID } from 'class-validator';
import { IsCurrencyFilter, IsText } from './http/fields';
import { MoneyAnswer } from './http/money.dto';
import { AsOfAnswer, OrderedListQuery } from './http/parameters.dto';

export class CustomerBalancePath {
  @IsUUID()
  readonly customerBalanceId!: string;
}

export class CustomerBalancesQuery extends OrderedListQuery {
  @IsText(200, { optional: true })
  readonly customerId?: string;

  @IsCurrencyFilter()
  readonly currency?: string;
}

/** What a customer has to its credit in one currency: balance = granted + returned − applied. */
export class CustomerBalanceAnswer {
  readonly customerBalanceId!: string;
  readonly customerId!: string;
  readonly balance!: MoneyAnswer;
  /** By credit notes. */
  readonly granted!: MoneyAnswer;
  /** To invoices. */
  readonly applied!: MoneyAnswer;
  /** From invoices that were voided. */
  readonly returned!: MoneyAnswer;
  /** For `GET /v1/audit/streams/{stream}/events`. */
  readonly stream!: string;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class CustomerBalanceFound extends CustomerBalanceAnswer {
  readonly asOf!: AsOfAnswer;
}

export class CustomerBalancePage {
  @ApiProperty({ type: [CustomerBalanceAnswer] })
  readonly items!: readonly CustomerBalanceAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}

/** What moved a balance. */
export class BalanceMovementAnswer {
  readonly kind!: 'granted' | 'applied' | 'returned';
  /** Above zero. */
  readonly amount!: MoneyAnswer;
  /** After it. */
  readonly balance!: MoneyAnswer;
  /** Of a grant. */
  readonly creditNoteId!: string | null;
  /** Of what was applied or returned. */
  readonly invoiceId!: string | null;
  readonly effectiveAt!: string;
  /** The event in the stream of the balance that says so. */
  readonly eventId!: string;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class BalanceMovementPage {
  @ApiProperty({ type: [BalanceMovementAnswer] })
  readonly items!: readonly BalanceMovementAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}
