import type { Figure } from './figure';

/** The figures as a table for a terminal, numbers to three digits or whole. */
export function table(figures: readonly Figure[]): string {
  const rows = [
    ['figure', 'value', 'unit', 'limit', 'of', 'ratio', 'bar'],
    ...figures.map(({ name, value, unit, limit, limitName, ratio, bar, more }) => [
      name,
      shown(value),
      unit,
      limit === null ? '' : shown(limit),
      limitName ?? '',
      ratio === null ? '' : ratio.toFixed(2),
      `${bar ? `${bar.met ? 'met' : 'MISSED'}: ${bar.text}` : ''}${more?.['attempt'] ? ` (attempt ${more['attempt']})` : ''}`,
    ]),
  ];
  const right = [false, true, false, true, false, true, false];
  const widths = right.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (right[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return rows
    .flatMap((row, index) => {
      const more = Object.entries(figures[index - 1]?.more ?? {}).filter(([name]) => name !== 'attempt');
      const beside = more.map(([name, value]) => `${name} ${typeof value === 'number' ? shown(value) : value}`);
      return beside.length === 0 ? [line(row)] : [line(row), `    ${beside.join(', ')}`];
    })
    .join('\n');
}

function shown(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
