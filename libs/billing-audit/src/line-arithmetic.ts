import type { Line } from '@perennial/billing-domain';

/**
 * The net (minor units) that a line's own words ask for: quantity × unitPrice × fraction, or the sum of the parts × fraction,
 * rounded once (or once for each tier), half away from zero; of a true-up, that minus the fees; of a correction, what that leaves of the line's net so far.
 * `corrected`: the net of the line that it corrects, which a credit by the share billed starts from. Deliberately naive and not shared with the domain. undefined when a number of the line cannot be read.
 */
export function recomputedNet(line: Line, corrected?: bigint): bigint | undefined {
  const { credit, fees: feesText, fractionDigits, name, roundedPer } = line.rule;
  if (credit?.waived) return 0n;
  let numerator = whole(line.rule.fraction.numerator);
  let denominator = whole(line.rule.fraction.denominator);
  if (numerator === undefined || denominator === undefined || denominator <= 0n) return undefined;
  if (fractionDigits !== undefined) {
    const scale = 10n ** BigInt(fractionDigits);
    numerator = rounded(numerator * scale, denominator);
    denominator = scale;
  }
  if (credit?.basis === 'billed') {
    const netSoFar = whole(credit.netSoFar);
    if (corrected === undefined || netSoFar === undefined) return undefined;
    return capped(rounded(corrected * numerator, denominator), netSoFar);
  }
  const tiers = new Map<number, Fraction>();
  for (const part of line.parts ?? [{ tier: 0, quantity: line.quantity, unitPrice: line.unitPrice }]) {
    const [quantity, unitPrice] = [decimal(part.quantity), decimal(part.unitPrice)];
    if (!quantity || !unitPrice) return undefined;
    const tier = roundedPer === 'tier' ? part.tier : 0;
    const sum = tiers.get(tier) ?? { above: 0n, below: 1n };
    const below = 10n ** BigInt(quantity.scale + unitPrice.scale);
    const above = sum.above * below + quantity.digits * unitPrice.digits * sum.below;
    tiers.set(tier, { above, below: sum.below * below });
  }
  let amount = 0n;
  for (const { above, below } of tiers.values()) amount += rounded(above * numerator, below * denominator);
  if (feesText !== undefined) {
    const fees = whole(feesText);
    if (fees === undefined) return undefined;
    // What is missing to a minimum, or above a maximum.
    amount -= fees;
    if (name === 'minimum' ? amount < 0n : amount > 0n) amount = 0n;
  }
  if (credit === undefined) return amount;
  if (credit.atMost !== undefined) {
    const atMost = whole(credit.atMost);
    if (atMost === undefined) return undefined;
    if (-amount > atMost) amount = -atMost;
  }
  const netSoFar = whole(credit.netSoFar);
  if (netSoFar === undefined) return undefined;
  if (credit.basis === 're-rate') return amount - netSoFar;
  return capped(amount, netSoFar);
}

/** What is given back: at most what is left. */
function capped(amount: bigint, netSoFar: bigint): bigint {
  return -(amount > netSoFar ? netSoFar : amount);
}

interface Fraction {
  readonly above: bigint;
  readonly below: bigint;
}

/** To the nearest whole number, halves away from zero. */
function rounded(above: bigint, below: bigint): bigint {
  const magnitude = above < 0n ? -above : above;
  const nearest = (2n * magnitude + below) / (2n * below);
  return above < 0n ? -nearest : nearest;
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
