import { EdgeProblem } from './edge-problem';

/** What JavaScript treats apart. */
const forbidden = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * `metadata[tier]=gold` as `{ metadata: { tier: 'gold' } }` (OpenAPI: deepObject); what has no brackets stays. Throws
 * EdgeProblem for a name that cannot be one of an object's.
 */
export function deepObjects(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const whole: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(query)) {
    const [, object, key] = /^([A-Za-z]+)\[(.*)\]$/s.exec(name) ?? [];
    if (object === undefined || key === undefined) whole[name] = value;
    else if (forbidden.has(key) || forbidden.has(object) || typeof (whole[object] ?? {}) !== 'object') {
      const errors = [{ pointer: `/${object}`, message: `${object} cannot be read` }];
      throw new EdgeProblem('invalid-request', undefined, { errors });
    } else whole[object] = { ...(whole[object] as object | undefined), [key]: value };
  }
  return whole;
}
