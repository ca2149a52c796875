import type { FastifyReply } from 'fastify';
import { DomainError, type DomainErrorCode } from '@perennial/billing-domain';
import type { Found, Page } from '@perennial/billing-read-models';
import type { AsOf } from '@perennial/event-sourcing';
import type { AsOfAnswer } from './parameters.dto';

/** The view with how current it is, its revision as ETag; throws the not-found code when there is none. */
export function found<View extends { readonly revision: string }>(
  { found: view, asOf }: Found<View>,
  missing: DomainErrorCode,
  reply: FastifyReply,
): View & { readonly asOf: AsOfAnswer } {
  if (!view) throw new DomainError(missing);
  reply.header('etag', `"${view.revision}"`);
  return { ...view, asOf: currentness(asOf) };
}

/** A page of a list with how current it is. */
export function listed<View>({ items, nextCursor, asOf }: Page<View>): {
  readonly items: readonly View[];
  readonly nextCursor?: string;
  readonly asOf: AsOfAnswer;
} {
  return { items, ...(nextCursor !== undefined && { nextCursor }), asOf: currentness(asOf) };
}

export function currentness({ position, lagMs, incomplete, state }: AsOf): AsOfAnswer {
  return {
    position: position?.toString() ?? null,
    lagMs: lagMs === Number.MAX_SAFE_INTEGER ? null : lagMs,
    incomplete,
    state,
  };
}
