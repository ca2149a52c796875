/** One thing that does not hold, said so that a person can look at it. */
export interface Difference {
  /** Stable kebab-case name of the check. */
  readonly check: string;
  /** The stream, table row or bill that it is about. */
  readonly subject: string;
  /** Revision in the stream, when it is about one event. */
  readonly revision?: string;
  readonly expected?: string;
  readonly found?: string;
  readonly message: string;
}

/** Builds the difference of a check that compares two values. */
export function mismatch(
  check: string,
  subject: string,
  message: string,
  expected: unknown,
  found: unknown,
  revision?: bigint,
): Difference {
  return {
    check,
    subject,
    ...(revision === undefined ? {} : { revision: revision.toString() }),
    expected: text(expected),
    found: text(found),
    message,
  };
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return value.toString();
  return JSON.stringify(value) ?? 'nothing';
}
