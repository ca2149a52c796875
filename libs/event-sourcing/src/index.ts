export * from './event';
export * from './streams';
export * from './errors';
export * from './hash-chain';
export * from './event-codec';
export {
  SealBroken,
  type ClearPersonal,
  type DataKey,
  type ErasedPersonal,
  type SealedPersonal,
  type StoredPersonal,
} from './personal-data';
export * from './data-keys';
export * from './event-store';
export * from './projection';
export * from './policy';
export { type AggregateCache, aggregateCache } from './aggregate-cache';
export * from './aggregate-repository';
export { Snapshots, type Logger } from './snapshots';
export { commandKey, rememberedId } from './key-filter';
export { OWN_ID } from './standing';
export * from './golden';
export * from './projection-feed';
export * from './projection-runner';
export * from './projection-watch';
export * from './projection-rebuild';
export { retryParked, type ParkedContext } from './projection-parked';
export {
  readFeed,
  readModels,
  readParked,
  resetFeed,
  type AnyDatabase,
  type FeedRow,
  type ParkedRow,
} from './projection-tables';
export { HEARTBEAT } from './heartbeat';
export * from './test-clock';
export * from './policy-low-water-mark';
export { readParkedReactions, requestRetry, type ParkedReaction, type ParkedState } from './policy-parked';
export { readPolicyPosition, type Place } from './policy-position';
export * from './policy-runner';
export type { LogFilter, LogRecord } from './log-reading';
export { differenceOf, Tally, type Totals, TransferRefused } from './transfer/carried-streams';
export { storeSource, type PolicyMark, type TransferSource } from './transfer/source';
export { BackupDamaged, openBackup, writeBackup, type BackupSummary } from './transfer/backup-file';
export { transfer, TransferDiffers, type TransferProgress, type TransferReport } from './transfer/transfer';
export { readTransfer } from './transfer/transfer-note';
