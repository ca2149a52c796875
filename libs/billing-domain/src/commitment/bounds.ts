import { DomainError } from '../domain-error';
import { price } from '../price/price';
import { amountOf } from '../price/rate';
import { ONE } from '../ratio';
import type { Conditions, ItemEdit } from '../subscription/events';
import { MAX_LINE_NET } from '../subscription/terms';

/** What a caller asks for: decimals of the minor unit for a whole period; null takes a bound away, what is absent stays. */
export interface CommitmentEdit {
  readonly minimum?: string | null | undefined;
  readonly maximum?: string | null | undefined;
  /** Whether coupons take something off what a minimum adds. */
  readonly discountableTrueUps?: boolean | undefined;
}

type CheckedCommitment = Omit<Extract<ItemEdit, { kind: 'commitment' }>, 'kind'>;

/** An edit in canonical form. Raises `invalid-decimal`, `negative-amount`, `invalid-price`, `amount-out-of-range`. */
export function commitmentEdit({ minimum, maximum, discountableTrueUps }: CommitmentEdit): CheckedCommitment {
  return {
    ...(minimum !== undefined && { minimum: canonical(minimum) }),
    ...(maximum !== undefined && { maximum: canonical(maximum) }),
    ...(discountableTrueUps !== undefined && { discountableTrueUps }),
  };
}

/** Conditions with other bounds. Raises `invalid-price` when the minimum is above the maximum. */
export function committed(conditions: Conditions | undefined, edit: CheckedCommitment): Conditions {
  const { minimum = null, maximum = null, discountableTrueUps = false, ...others } = { ...conditions, ...edit };
  if (minimum !== null && maximum !== null) price({ model: 'flat', unitPrice: '0', minimum, maximum });
  return {
    ...others,
    ...(minimum !== null && { minimum }),
    ...(maximum !== null && { maximum }),
    ...(discountableTrueUps && { discountableTrueUps }),
  };
}

function canonical(text: string | null): string | null {
  if (text === null) return null;
  const bound = price({ model: 'flat', unitPrice: '0', minimum: text }).minimum ?? '0';
  if (amountOf({ quantity: '1', unitPrice: bound }, ONE) > MAX_LINE_NET) throw new DomainError('amount-out-of-range');
  return bound;
}
