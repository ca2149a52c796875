const deepest = 32;

/** The body is JSON, but not such as could be stored and read again unchanged. */
export class UnacceptableJson extends Error {
  readonly statusCode = 400;
  readonly code = 'malformed-request';
}

/**
 * Refuses what JSON.parse lets through but a ledger must not: repeated names (the last would win silently), nesting
 * without bound, and characters that PostgreSQL cannot hold (NUL, lone surrogates), which would stop a projection.
 * `value` is what `text` parsed to.
 */
export function checkJson(text: string, value: unknown): void {
  let names = 0;
  const visit = (part: unknown, depth: number): void => {
    if (typeof part === 'string') checkText(part);
    if (typeof part !== 'object' || part === null) return;
    if (depth > deepest) throw new UnacceptableJson(`The body is nested deeper than ${deepest} levels.`);
    if (Array.isArray(part)) {
      for (const element of part) visit(element, depth + 1);
      return;
    }
    for (const [name, member] of Object.entries(part)) {
      names += 1;
      checkText(name);
      visit(member, depth + 1);
    }
  };
  visit(value, 1);
  if (names !== namesWritten(text)) throw new UnacceptableJson('The body has an object with the same name twice.');
}

function checkText(text: string): void {
  if (text.includes('\u0000') || /\p{Surrogate}/u.test(text)) {
    throw new UnacceptableJson('The body has a string with a NUL character or half of a surrogate pair.');
  }
}

/** Every string token that a colon follows is a name. */
function namesWritten(text: string): number {
  let count = 0;
  for (const [, colon] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"\s*(:)?/g)) if (colon) count += 1;
  return count;
}
