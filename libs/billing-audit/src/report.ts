import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Difference } from './difference';

/** Minor units as decimal strings, of one currency. */
export interface Totals {
  /** Nets of all bills. */
  readonly billed: string;
  /** Totals of all invoices, drafts among them. */
  readonly invoiced: string;
  /** Totals of the finalised invoices. */
  readonly finalised: string;
  /** Totals of all credit notes: invoiced − credited = billed, when nothing waits. */
  readonly credited: string;
  /** Nets of the line items in open periods, not billed yet. */
  readonly open: string;
}

/** What `verify` found; the same streams at the same position give the same report and the same sha256. */
export interface VerifyReport {
  readonly ok: boolean;
  /** Log position of the last event that it covers. */
  readonly position: string;
  readonly tenant: string | null;
  readonly counts: Readonly<Record<string, number>>;
  readonly totals: Readonly<Record<string, Totals>>;
  /** At most `differenceLimit` of them, in a fixed order. */
  readonly differences: readonly Difference[];
  readonly differenceCount: number;
  /** Bills and drafts that a policy has not reached yet. */
  readonly pending: number;
  /** Of the canonical JSON (RFC 8785) of everything above. */
  readonly sha256: string;
}

export const differenceLimit = 1_000;

/** Puts the differences in a fixed order, bounds them and seals the report with its hash. */
export function sealReport(found: {
  readonly position: bigint;
  readonly tenant: string | undefined;
  readonly counts: Readonly<Record<string, number>>;
  readonly totals: Readonly<Record<string, Totals>>;
  readonly differences: readonly Difference[];
  readonly differenceCount: number;
  readonly pending: number;
}): VerifyReport {
  const body = {
    ok: found.differenceCount === 0,
    position: found.position.toString(),
    tenant: found.tenant ?? null,
    counts: found.counts,
    totals: found.totals,
    differences: [...found.differences].sort(inFixedOrder).slice(0, differenceLimit),
    differenceCount: found.differenceCount,
    pending: found.pending,
  };
  const sha256 = createHash('sha256')
    .update(canonicalize(body) ?? '')
    .digest('hex');
  return { ...body, sha256 };
}

/** The report as a person reads it. */
export function printableReport(report: VerifyReport): string {
  const lines = [`verified up to log position ${report.position}`];
  for (const [name, count] of Object.entries(report.counts)) lines.push(`  ${name.padEnd(24)} ${count}`);
  if (report.pending > 0) lines.push(`  ${'waiting for policies'.padEnd(24)} ${report.pending}`);
  lines.push('control totals (minor units)');
  for (const [currency, totals] of Object.entries(report.totals))
    lines.push(
      `  ${currency}  billed ${totals.billed}  invoiced ${totals.invoiced}  finalised ${totals.finalised}  credited ${totals.credited}  open ${totals.open}`,
    );
  for (const each of report.differences) lines.push(printableDifference(each));
  if (report.differenceCount > report.differences.length)
    lines.push(`… and ${report.differenceCount - report.differences.length} more`);
  lines.push(report.ok ? 'no difference' : `${report.differenceCount} differences`, `sha256 ${report.sha256}`);
  return lines.join('\n');
}

function printableDifference(each: Difference): string {
  const where = each.revision === undefined ? each.subject : `${each.subject}@${each.revision}`;
  const values = each.expected === undefined ? '' : ` (expected ${each.expected}, found ${each.found})`;
  return `DIFFERENCE ${each.check} ${where}: ${each.message}${values}`;
}

function inFixedOrder(a: Difference, b: Difference): number {
  const key = (each: Difference) =>
    [each.subject, (each.revision ?? '').padStart(20, '0'), each.check, each.message, each.found ?? ''].join(' ');
  return key(a) < key(b) ? -1 : 1;
}
