/**
 * Ways to behave worse, as real servers do. Every field may be changed at any time and holds for what comes after;
 * by default all are off. They exist for tests that show that a client minds none of it.
 */
export interface Faults {
  /**
   * End a live subscription with ABORTED "Consumer too slow to handle event while live. Client resubscription
   * required." as soon as more than 32 of its events wait, after delivering 32: what 23.10 does in any burst.
   * Off: the subscription catches up again, as 24.6 and later do.
   */
  dropSlowSubscriptions: boolean;
  /** End every subscription with ABORTED after it has delivered this many events. */
  dropSubscriptionsAfter: number | undefined;
  /** End every read and subscription with status OK, as if it were finished, after this many events. */
  endReadsSilentlyAfter: number | undefined;
  /** Answer every append (Append and BatchAppend, delete and tombstone not) only after this many milliseconds. */
  answerAppendsAfterMs: number;
  /** Never answer appends: after writing them (`written`) or without (`not-written`). */
  neverAnswerAppends: false | 'written' | 'not-written';
  /** End the BatchAppend stream cleanly instead of answering its next append; nothing is written. Then off again. */
  endNextBatchAppend: boolean;
  /** Fail this many of the next GetSupportedMethods calls with INTERNAL. */
  failFeatureProbes: number;
  /** Do not announce BatchAppend, so that the client uses Append. */
  hideBatchAppend: boolean;
  /** Refuse every call with UNAVAILABLE. */
  refuseCalls: boolean;
  /** Reset new connections as soon as they are accepted. */
  refuseConnections: boolean;
  /** Resets every open connection now. */
  resetConnections(): void;
  /** Ends every open read and subscription now, with status OK. */
  endReadsSilently(): void;
}

/** The switches of `Faults` that can be given when starting. */
export type FaultSwitches = Omit<Faults, 'resetConnections' | 'endReadsSilently'>;

export const noFaults = (): FaultSwitches => ({
  dropSlowSubscriptions: false,
  dropSubscriptionsAfter: undefined,
  endReadsSilentlyAfter: undefined,
  answerAppendsAfterMs: 0,
  neverAnswerAppends: false,
  endNextBatchAppend: false,
  failFeatureProbes: 0,
  hideBatchAppend: false,
  refuseCalls: false,
  refuseConnections: false,
});

/** Events that may wait for a live subscription before 23.10 drops it. */
export const LIVE_BUFFER = 32;
