import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../support/random';
import type { VirtualTime } from './virtual-time';

/** What may go wrong with one call to the store or the database. */
export type Fault =
  /** Refused before it was sent. */
  | 'refused'
  /** Never arrived; the caller hears of a lost connection, or nothing at all. */
  | 'request-lost'
  /** Done; the caller hears of a lost connection, or nothing at all. */
  | 'answer-lost'
  /** Arrives after the caller has stopped waiting for it. */
  | 'late'
  /** Takes its time. */
  | 'slow'
  /** The process ends before the call leaves it, or while it is under way. */
  | 'crash'
  /** A read or a subscription breaks off in its midst, with an error or as if it were finished. */
  | 'broken-off'
  /** A subscription that stays open and says nothing more. */
  | 'mute'
  /** A subscription that begins again somewhat before where it was asked to. */
  | 'repeated';

/** Of the crashes that are drawn so many are left: a process that starts over does again what it had done, which finds nothing new. */
const CRASHES = 0.2;

/** The seeded source of everything that goes wrong, and the record of what did. */
export class Chaos {
  /** Faults by where and what, as they were injected. */
  readonly counts = new Map<string, number>();
  /** Chance of a fault at one await; 0: nothing goes wrong any more. */
  rate = 0;
  private readonly hash = createHash('sha256');

  constructor(
    readonly random: Random,
    readonly time: VirtualTime,
    private readonly show?: (line: string) => void,
  ) {}

  /** The fault of one call, if it has one; each of those that are possible here as often as it stands there. */
  at(where: string, possible: readonly Fault[]): Fault | undefined {
    if (this.rate === 0 || !this.random.chance(this.rate)) return undefined;
    let fault = this.random.pick(possible);
    if (fault === 'crash' && !this.random.chance(CRASHES)) fault = this.random.pick(possible);
    this.note(where, fault);
    return fault;
  }

  note(where: string, fault: string): void {
    const name = `${where} ${fault}`;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.trace(name);
  }

  /** What happened, when, in order: of two runs with one seed both have the same. */
  trace(line: string): void {
    const entry = `${this.time.now()} ${line}`;
    this.hash.update(entry).update('\n');
    this.show?.(entry);
  }

  digest(): string {
    return this.hash.copy().digest('hex');
  }

  /** A pause in virtual ms. */
  pause(from: number, to: number): Promise<unknown> {
    return delay(this.random.between(from, to));
  }
}

/** A caller that has died waits for this. */
export const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
