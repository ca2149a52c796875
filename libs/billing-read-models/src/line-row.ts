import type { Line } from '@perennial/billing-domain';

/** A line of a bill as columns; `net` is whole minor units, `unit_price` a decimal of the minor unit. */
export interface LineRow {
  line_id: string;
  kind: Line['kind'];
  item_id: string | null;
  line_item_id: string | null;
  description: string;
  service_from: string;
  service_to: string;
  quantity: string;
  unit_price: string;
  net: string;
  tax_code: string | null;
  tax_behaviour: Line['taxBehaviour'];
  discountable: boolean;
  corrects: string | null;
  change: number;
  rule: string;
  fraction_numerator: string;
  fraction_denominator: string;
  rounding: Line['rule']['rounding'];
  /** What the net is the sum of, where the price is no single multiplication. */
  parts: NonNullable<Line['parts']> | null;
  /** What else the rule states. */
  rule_options: Omit<Line['rule'], 'name' | 'fraction' | 'rounding'> | null;
  metadata: Readonly<Record<string, string>>;
}

export const lineColumns = {
  line_id: 'uuid',
  kind: 'text',
  item_id: 'text?',
  line_item_id: 'text?',
  description: 'text',
  service_from: 'date',
  service_to: 'date',
  quantity: 'numeric',
  unit_price: 'numeric',
  net: 'numeric',
  tax_code: 'text?',
  tax_behaviour: 'text',
  discountable: 'bool',
  corrects: 'uuid?',
  change: 'int4',
  rule: 'text',
  fraction_numerator: 'numeric',
  fraction_denominator: 'numeric',
  rounding: 'text',
  parts: 'jsonb?',
  rule_options: 'jsonb?',
  metadata: 'jsonb',
} as const;

/** What of a rule has a column of its own: name, fraction and rounding. */
const RULE_COLUMNS = 3;

export function lineRow(line: Line): LineRow {
  const { name, fraction, rounding } = line.rule;
  return {
    line_id: line.lineId,
    kind: line.kind,
    item_id: line.itemId ?? null,
    line_item_id: line.lineItemId ?? null,
    description: line.description,
    service_from: line.service.from,
    service_to: line.service.to,
    quantity: line.quantity,
    unit_price: line.unitPrice,
    net: line.net,
    tax_code: line.taxCode,
    tax_behaviour: line.taxBehaviour,
    discountable: line.discountable,
    corrects: line.corrects ?? null,
    change: line.change,
    rule: name,
    fraction_numerator: fraction.numerator,
    fraction_denominator: fraction.denominator,
    rounding,
    parts: line.parts ?? null,
    rule_options: optionsOf(line.rule),
    metadata: line.metadata,
  };
}

/** Most rules have none. */
function optionsOf(rule: Line['rule']): LineRow['rule_options'] {
  if (Object.keys(rule).length === RULE_COLUMNS) return null;
  const { name: _, fraction: __, rounding: ___, ...options } = rule;
  return options;
}

/** The line as the event stated it. */
export function lineOf(row: LineRow): Line {
  return {
    lineId: row.line_id,
    kind: row.kind,
    ...(row.item_id === null ? {} : { itemId: row.item_id }),
    ...(row.line_item_id === null ? {} : { lineItemId: row.line_item_id }),
    description: row.description,
    service: { from: row.service_from, to: row.service_to },
    quantity: row.quantity,
    unitPrice: row.unit_price,
    ...(row.parts === null ? {} : { parts: row.parts }),
    net: row.net,
    taxCode: row.tax_code,
    taxBehaviour: row.tax_behaviour,
    discountable: row.discountable,
    ...(row.corrects === null ? {} : { corrects: row.corrects }),
    change: row.change,
    rule: {
      name: row.rule,
      fraction: { numerator: row.fraction_numerator, denominator: row.fraction_denominator },
      rounding: row.rounding,
      ...row.rule_options,
    },
    metadata: row.metadata,
  };
}
