/* What auditors ask of the streams themselves; nothing here writes but reconcile, and that through commands. */

export { type AuditedEvent, type StreamPage, maxStreamPage, streamEvents } from './stream-events';
export type { EventSummary, HistoryDiff, Point } from './aggregate-history';
export { type SubscriptionAt, type SubscriptionDiff, subscriptionAt, subscriptionDiff } from './subscription-history';
export { type UsageAt, usageAt, usageDiff } from './usage-history';
export type { FieldChange } from './changes';
export type { Difference } from './difference';
export { type ReadModelsUnderAudit, readModelsUnderAudit } from './read-models-under-audit';
export { type VerifyOptions, verify } from './verify';
export { type Totals, type VerifyReport, printableReport } from './report';
export {
  type Gap,
  type ReconcileOptions,
  type ReconcileReport,
  printableReconcileReport,
  reconcile,
} from './reconcile';
