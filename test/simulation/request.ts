import type { CommandResult, ReportedUsage, RequestContext } from '@perennial/billing-application';
import type { Random } from '../support/random';
import type { Documents } from './documents';

/* What callers of the simulated service know, and how they ask. */

/** A subscription as its callers know it. */
export interface Contract {
  readonly id: string;
  readonly currency: string;
  readonly lineItems: string[];
  readonly usage: ReportedUsage[];
}

/** A plan as its callers know it: versions that are drafted, and of these the ones that are published. */
export interface KnownPlan {
  readonly id: string;
  drafted: number;
  readonly published: Set<number>;
}

/** What callers know and remember. */
export interface Known {
  readonly random: Random;
  /** Business time, ms since 1970. */
  now: number;
  serial: number;
  readonly contracts: Contract[];
  readonly customers: string[];
  readonly coupons: string[];
  readonly plans: KnownPlan[];
  /** What the service has made of bills, as callers are shown it. */
  readonly documents: Documents;
}

/** A command as a caller makes it: the same one for each attempt, under the key that the context holds. */
export interface Request {
  readonly what: string;
  readonly content: object;
  /** Of a command that has one key for ever; else the caller makes one. */
  readonly key?: string | undefined;
  command(context: RequestContext): object;
  /** What its caller makes of the answer, also when it comes more than once. */
  learn?(answer: CommandResult): void;
}

/** A request of that content. */
export const request = <Content extends object>(
  what: string,
  content: Content,
  command: (content: Content, context: RequestContext) => object,
  more: Pick<Request, 'key' | 'learn'> = {},
): Request => ({ what, content, command: (context) => command(content, context), ...more });

/** What somebody may ask of a subscription, and how often; undefined: not now. */
export type Askings = Readonly<
  Record<string, readonly [weight: number, (known: Known, of: Contract) => Request | undefined]>
>;
