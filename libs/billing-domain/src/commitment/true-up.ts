import { lineId } from '../ids';
import type { Line } from '../line';
import { trueUp } from '../price/rate';
import type { Ratio } from '../ratio';

/** A minimum that a service period comes to, or a maximum, over one component or, without an item, over all. Decimals of the minor unit. */
export interface Commitment {
  readonly itemId?: string;
  readonly description: string;
  readonly minimum?: string;
  readonly maximum?: string;
  /** Default: a true-up is not discountable. */
  readonly discountable?: boolean;
}

const feeKinds: readonly Line['kind'][] = ['recurring', 'usage', 'correction'];

/**
 * The line that brings a service period up to its minimum or down to its maximum; none when the fees lie between. Fees are
 * recurring and usage lines with their corrections, undiscounted, whose service begins within the period, on whatever bill
 * they are. The bound is that of the part of the period that there was. (billing-model.md §5)
 */
export function trueUpLine(
  subscriptionId: string,
  commitment: Commitment,
  lines: readonly Line[],
  service: Line['service'],
  fraction: Ratio,
  change: number,
): Line | undefined {
  const { itemId, minimum, maximum } = commitment;
  const fees = lines
    .filter((line) => feeKinds.includes(line.kind) && (itemId === undefined || line.itemId === itemId))
    .filter((line) => line.service.from >= service.from && line.service.from < service.to)
    .reduce((sum, { net }) => sum + BigInt(net), 0n);
  const net = trueUp(
    { ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) },
    fraction,
    fees,
  );
  if (net === 0n) return undefined;
  const kind = net > 0n ? 'minimum' : 'maximum';
  const bound = net > 0n ? minimum : maximum;
  return {
    lineId: lineId(subscriptionId, itemId ?? '', kind, service, null, change),
    kind,
    ...(itemId !== undefined && { itemId }),
    description: commitment.description,
    service,
    quantity: '1',
    unitPrice: bound ?? '0',
    net: net.toString(),
    taxCode: null,
    taxBehaviour: 'unspecified',
    discountable: commitment.discountable ?? false,
    change,
    rule: {
      name: kind,
      fraction: { numerator: fraction.numerator.toString(), denominator: fraction.denominator.toString() },
      rounding: 'half-away-from-zero',
      // What the bound is compared with: net = round(unitPrice × fraction) − fees.
      fees: fees.toString(),
    },
    metadata: {},
  };
}
