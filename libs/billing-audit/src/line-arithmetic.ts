import type { Line } from '@perennial/billing-domain';

/**
 * The net (minor units) that a line's own words ask for: quantity × unitPrice × fraction, rounded once, half away from
 * zero. Deliberately naive and not shared with the domain. undefined when a number of the line cannot be read.
 */
export function recomputedNet(line: Line): bigint | undefined {
  const quantity = decimal(line.quantity);
  const unitPrice = decimal(line.unitPrice);
  const numerator = whole(line.rule.fraction.numerator);
  const denominator = whole(line.rule.fraction.denominator);
  if (!quantity || !unitPrice || numerator === undefined || denominator === undefined || denominator <= 0n)
    return undefined;
  const above = quantity.digits * unitPrice.digits * numerator;
  const below = 10n ** BigInt(quantity.scale + unitPrice.scale) * denominator;
  const magnitude = above < 0n ? -above : above;
  const rounded = (2n * magnitude + below) / (2n * below);
  return above < 0n ? -rounded : rounded;
}

/** Sum of the nets (minor units); undefined when one is not a whole number. */
export function sumOfNets(lines: readonly Line[]): bigint | undefined {
  let sum = 0n;
  for (const line of lines) {
    const net = whole(line.net);
    if (net === undefined) return undefined;
    sum += net;
  }
  return sum;
}

/** A whole number written in decimal digits, or undefined. */
export function whole(text: string): bigint | undefined {
  return /^-?\d+$/.test(text) ? BigInt(text) : undefined;
}

function decimal(text: string): { digits: bigint; scale: number } | undefined {
  const parts = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!parts) return undefined;
  const fraction = parts[3] ?? '';
  return { digits: BigInt(`${parts[1]}${parts[2]}${fraction}`), scale: fraction.length };
}
