import { formatDecimal, parseDecimal, type NewLineItem } from '@perennial/billing-domain';
import type { Remembered } from '@perennial/event-sourcing';
import { fingerprintOf } from './fingerprint';

/** A line item as the stream remembers it: its id with a fingerprint of its content. */
export function rememberedLineItem(lineItem: NewLineItem): Remembered {
  return { kind: 'line-item', id: lineItem.lineItemId, fingerprint: fingerprintOf(contentOf(lineItem)) };
}

/** What makes two line items the same: their content with what is left out filled in, whatever its spelling. */
function contentOf({ quantity = '1', unitPrice, service, taxCode, ...item }: NewLineItem): object {
  const { description, taxBehaviour = 'unspecified', discountable = true, metadata = {} } = item;
  return {
    description,
    quantity: canonicalDecimal(quantity),
    unitPrice: canonicalDecimal(unitPrice),
    service: service ?? null,
    taxCode: taxCode ?? null,
    taxBehaviour,
    discountable,
    metadata,
  };
}

function canonicalDecimal(text: string): string {
  try {
    return formatDecimal(parseDecimal(text));
  } catch {
    // Not a decimal: the decision says so, after the key has been checked.
    return text;
  }
}
