import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsObject, IsUUID, Matches, MaxLength, ValidateNested } from 'class-validator';
import { IsMetadata, IsMetadataFilter, IsMetadataPatch, IsText, IsWhole, Optional } from './http/fields';
import { AsOfAnswer, ListQuery } from './http/parameters.dto';

export class AddressBody {
  @IsText(200)
  readonly line1!: string;

  @IsText(200, { optional: true })
  readonly line2?: string;

  @IsText(100, { optional: true })
  readonly city?: string;

  @IsText(100, { optional: true })
  readonly region?: string;

  @IsText(20, { optional: true })
  readonly postalCode?: string;

  /**
   * ISO 3166-1 alpha-2.
   * @example "DE"
   */
  @Optional()
  @Matches(/^[A-Z]{2}$/, { message: '$property must be two capital letters (ISO 3166-1)' })
  readonly country?: string;
}

export class TaxIdBody {
  /**
   * What kind of number it is.
   * @example "eu_vat"
   */
  @IsText(40)
  readonly type!: string;

  @IsText(100)
  readonly value!: string;
}

/** Who is billed, as it stands on an invoice from its finalising on. */
export class BillToBody {
  @IsText(200)
  readonly name!: string;

  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => AddressBody)
  readonly address?: AddressBody;

  @Optional()
  @IsArray()
  @ArrayMaxSize(10)
  @ValidateNested({ each: true })
  @Type(() => TaxIdBody)
  readonly taxIds?: TaxIdBody[];
}

export class ContactBody {
  /** @example "billing@example.com" */
  @MaxLength(254)
  @Matches(/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u, { message: '$property must be an e-mail address' })
  readonly email!: string;

  @IsText(200, { optional: true })
  readonly name?: string;
}

/** All personal data of a customer: sealed under a key of this customer, which erasing it destroys. */
export class PersonalDataBody {
  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => BillToBody)
  readonly billTo?: BillToBody;

  @Optional()
  @IsArray()
  @ArrayMaxSize(20)
  @ValidateNested({ each: true })
  @Type(() => ContactBody)
  readonly contacts?: ContactBody[];
}

export class CreateCustomerBody {
  /**
   * The caller's own id, unique and immutable, no uuid of version 5: the customer's id derives from it (else from the
   * Idempotency-Key), and it is the `customerId` of subscriptions. It is not erased, so it must not be a name or an address.
   */
  @IsText(200, { optional: true })
  readonly externalId?: string;

  /**
   * ISO 4217; of subscriptions that name none.
   * @example "USD"
   */
  @Matches(/^[A-Z]{3}$/, { message: '$property must be an ISO 4217 code' })
  readonly currency!: string;

  /**
   * IANA name; of subscriptions that name none.
   * @example "Europe/Berlin"
   */
  @Matches(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, { message: '$property must be an IANA time zone name' })
  readonly timeZone!: string;

  /** Days from issue to due date; of subscriptions that name none. */
  @IsWhole(0, 365, { optional: true })
  readonly paymentTermsDays?: number;

  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => PersonalDataBody)
  readonly personal?: PersonalDataBody;

  /** Not erased: no place for personal data. */
  @IsMetadata()
  readonly metadata?: Record<string, string>;
}

/** What is left out stays; `personal` replaces what was there as a whole. */
export class ChangeCustomerBody {
  @Optional()
  @Matches(/^[A-Z]{3}$/, { message: '$property must be an ISO 4217 code' })
  readonly currency?: string;

  @Optional()
  @Matches(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, { message: '$property must be an IANA time zone name' })
  readonly timeZone?: string;

  @IsWhole(0, 365, { optional: true })
  readonly paymentTermsDays?: number;

  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => PersonalDataBody)
  readonly personal?: PersonalDataBody;

  @IsMetadataPatch({ optional: true })
  readonly metadata?: Record<string, string | null>;
}

export class CustomerPath {
  @IsUUID()
  readonly customerId!: string;
}

export class CustomersQuery extends ListQuery {
  @IsText(200, { optional: true })
  readonly externalId?: string;

  @Optional()
  @IsIn(['active', 'erased'])
  readonly status?: 'active' | 'erased';

  @IsMetadataFilter()
  readonly metadata?: Record<string, string>;
}

export class AddressAnswer {
  readonly line1!: string;
  readonly line2?: string;
  readonly city?: string;
  readonly region?: string;
  readonly postalCode?: string;
  readonly country?: string;
}

export class TaxIdAnswer {
  readonly type!: string;
  readonly value!: string;
}

export class BillToAnswer {
  readonly name!: string;
  readonly address?: AddressAnswer;
  @ApiProperty({ type: [TaxIdAnswer], required: false })
  readonly taxIds?: readonly TaxIdAnswer[];
}

export class ContactAnswer {
  readonly email!: string;
  readonly name?: string;
}

export class PersonalDataAnswer {
  readonly billTo?: BillToAnswer;
  @ApiProperty({ type: [ContactAnswer], required: false })
  readonly contacts?: readonly ContactAnswer[];
}

/** In place of personal data that was erased. */
export class ErasedAnswer {
  @ApiProperty({ enum: [true] })
  readonly erased!: true;
}

@ApiExtraModels(PersonalDataAnswer, ErasedAnswer)
export class CustomerAnswer {
  readonly customerId!: string;
  readonly externalId!: string | null;
  readonly status!: 'active' | 'erased';
  readonly currency!: string;
  readonly timeZone!: string;
  @ApiProperty({ type: 'integer' })
  readonly paymentTermsDays!: number;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  readonly metadata!: Readonly<Record<string, string>>;
  /** null: none was given. */
  @ApiProperty({
    nullable: true,
    anyOf: [{ $ref: getSchemaPath(ErasedAnswer) }, { $ref: getSchemaPath(PersonalDataAnswer) }],
  })
  readonly personal!: PersonalDataAnswer | ErasedAnswer | null;
  readonly createdAt!: string;
  readonly erasedAt!: string | null;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class CustomerFound extends CustomerAnswer {
  readonly asOf!: AsOfAnswer;
}

export class CustomerPage {
  @ApiProperty({ type: [CustomerAnswer] })
  readonly items!: readonly CustomerAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}
