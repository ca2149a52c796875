/** One thing that was used, as the caller reports it. */
export interface UsageRecord {
  /** The caller's; counts once in the period that holds its time. */
  readonly id: string;
  /** What was used: the name that meters read. */
  readonly event: string;
  /** When it was used. */
  readonly at: string;
  /** A decimal. */
  readonly value?: string;
  readonly properties?: Readonly<Record<string, string>>;
}
