import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsDefined,
  IsIn,
  IsObject,
  Matches,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { MAX_TIERS } from '@perennial/billing-domain';
import { IsDecimal, IsWhole } from './http/fields';

/** What the item comes to at least and at most in a whole period. */
class BoundsBody {
  @IsDecimal({ optional: true, example: '1000' })
  readonly minimum?: string;

  @IsDecimal({ optional: true, example: '5000' })
  readonly maximum?: string;
}

/** quantity × unitPrice. */
export class FlatPriceBody extends BoundsBody {
  /** `flat` and `per-unit` (per seat) count alike. */
  @IsIn(['flat', 'per-unit'])
  readonly model!: 'flat' | 'per-unit';

  /** For one unit and one period, a decimal of the minor unit: "1999" is 19.99 USD, "0.04" is 0.0004 USD. */
  @IsDecimal({ example: '1999' })
  readonly unitPrice!: string;
}

export class TierBody {
  /** The largest quantity of the tier, above that of the tier before; null on the last tier alone. */
  @ValidateIf((tier: TierBody) => tier.upTo !== null)
  @IsDecimal({ example: '10', nullable: true })
  readonly upTo!: string | null;

  /** Of a unit, or of each package begun where there is a `packageSize`. */
  @IsDecimal({ example: '500' })
  readonly unitPrice!: string;

  /** Units are counted in packages of so many. */
  @IsDecimal({ optional: true, example: '100' })
  readonly packageSize?: string;

  /** Due once when the tier is entered. */
  @IsDecimal({ optional: true, example: '1000' })
  readonly flatFee?: string;
}

/** graduated: each unit at the price of its own tier. volume: all units at the price of the tier that the quantity lies in. */
export class TieredPriceBody extends BoundsBody {
  @IsIn(['graduated', 'volume'])
  readonly model!: 'graduated' | 'volume';

  /** Rising; the last is open. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_TIERS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => TierBody)
  readonly tiers!: TierBody[];
}

/** ⌈(quantity − freeUnits) ÷ packageSize⌉ × packagePrice. */
export class PackagePriceBody extends BoundsBody {
  @IsIn(['package'])
  readonly model!: 'package';

  @IsDecimal({ example: '10' })
  readonly packageSize!: string;

  @IsDecimal({ example: '5000' })
  readonly packagePrice!: string;

  @IsDecimal({ optional: true, default: '0' })
  readonly freeUnits?: string;
}

/** A rate in percent: at most 10 digits after the point. */
const IsRate = () =>
  applyDecorators(
    Matches(/^(0|[1-9]\d{0,5})(\.\d{1,10})?$/, { message: '$property must be a percentage such as "1.3"' }),
    ApiProperty({ type: 'string', pattern: '^(0|[1-9]\\d{0,5})(\\.\\d{1,10})?$', example: '1.3' }),
  );

/** Of the values of usage records, each an amount in minor units. */
export class PercentagePriceBody extends BoundsBody {
  @IsIn(['percentage'])
  readonly model!: 'percentage';

  @IsRate()
  readonly rate!: string;

  /** For each record that is not free. */
  @IsDecimal({ optional: true, default: '0' })
  readonly recordFee?: string;

  /** Records in order of time are free until this many, or `freeAmount`, are used up, whichever comes first. */
  @IsWhole(0, 1_000_000_000, { optional: true })
  readonly freeRecords?: number;

  @IsDecimal({ optional: true, example: '10000' })
  readonly freeAmount?: string;
}

export class PercentageTierBody {
  /** The largest sum of amounts of the tier, above that of the tier before; null on the last tier alone. */
  @ValidateIf((tier: PercentageTierBody) => tier.upTo !== null)
  @IsDecimal({ example: '10', nullable: true })
  readonly upTo!: string | null;

  @IsRate()
  readonly rate!: string;

  /** Due once when the tier is entered. */
  @IsDecimal({ optional: true, example: '1000' })
  readonly flatFee?: string;
}

/** Each part of the sum of amounts at the rate of its own tier. */
export class GraduatedPercentagePriceBody extends BoundsBody {
  @IsIn(['graduated-percentage'])
  readonly model!: 'graduated-percentage';

  /** Rising; the last is open. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_TIERS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => PercentageTierBody)
  readonly tiers!: PercentageTierBody[];
}

export type PriceBody =
  FlatPriceBody | TieredPriceBody | PackagePriceBody | PercentagePriceBody | GraduatedPercentagePriceBody;

const models = {
  flat: FlatPriceBody,
  'per-unit': FlatPriceBody,
  graduated: TieredPriceBody,
  volume: TieredPriceBody,
  package: PackagePriceBody,
  percentage: PercentagePriceBody,
  'graduated-percentage': GraduatedPercentagePriceBody,
} as const;

const bodies = [...new Set(Object.values<new () => object>(models))];

/** On the class of a body that has a price. */
export const HasPrice = () => ApiExtraModels(...bodies);

/** A price of one of the models; percentages are of usage alone. */
export function IsPrice() {
  return applyDecorators(
    IsDefined(),
    IsObject(),
    ValidateNested(),
    Type(() => FlatPriceBody, {
      discriminator: {
        property: 'model',
        subTypes: Object.entries<new () => object>(models).map(([name, value]) => ({ name, value })),
      },
      keepDiscriminatorProperty: true,
    }),
    ApiProperty({
      description: 'Of a whole period, or of all the periods for which the item bills at one time.',
      oneOf: bodies.map((each) => ({ $ref: getSchemaPath(each) })),
      discriminator: {
        propertyName: 'model',
        mapping: Object.fromEntries(Object.entries(models).map(([name, each]) => [name, getSchemaPath(each)])),
      },
    }),
  );
}
