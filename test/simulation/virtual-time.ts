import crypto from 'node:crypto';
import { withGlobal } from '@sinonjs/fake-timers';
import { Random } from '../support/random';

/* Time and chance of a whole JavaScript realm, taken over: what runs in it can neither wait nor guess by itself. */

const realImmediate = setImmediate;
/** Turns of the event loop after which a realm that has no timer left is stuck. */
const STUCK_AFTER = 1_000;

export interface VirtualTime {
  /** Ms since the run began. */
  now(): number;
  /** Lets time pass until the task is done; answers as it does. Throws when nothing is left that could bring it on. */
  run<T>(task: Promise<T>): Promise<T>;
  /** Gives the realm its own time and chance back. */
  end(): void;
}

/**
 * Replaces timers, Date, performance.now, Math.random and node:crypto's random bytes by seeded ones that start at `startsAt`. Time moves
 * only inside `run`, from one timer to the next, when nothing is left to do at the present one. The two sources of chance are apart:
 * how many ids are made changes no delay.
 */
export function takeOverTime(seed: number, startsAt: number): VirtualTime {
  const clock = withGlobal(globalThis).install({
    now: startsAt,
    loopLimit: Number.MAX_SAFE_INTEGER,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date'],
  });
  const restore = [replace(performance, 'now', () => clock.now - startsAt), replaceRandom(seed)];
  return {
    now: () => clock.now - startsAt,
    async run(task) {
      const ended = task.then(
        () => true,
        () => true,
      );
      let done = false;
      void ended.then(() => (done = true));
      for (let idle = 0; !done;) {
        await new Promise<void>((resolve) => realImmediate(resolve));
        if (done) break;
        if (clock.countTimers() > 0) {
          idle = 0;
          clock.next();
        } else if ((idle += 1) > STUCK_AFTER) throw new Error('nothing is left to wait for, and it is not done');
      }
      return task;
    },
    end() {
      for (const undo of restore) undo();
      clock.uninstall();
    },
  };
}

function replaceRandom(seed: number): () => void {
  const delays = new Random(seed ^ 0x5eed);
  const ids = new Random(seed ^ 0x1d5);
  const fill = (bytes: Uint8Array): Uint8Array => {
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = ids.between(0, 255);
    return bytes;
  };
  const uuid = () => {
    const bytes = fill(Buffer.alloc(16));
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = Buffer.from(bytes).toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
  const undo = [
    replace(Math, 'random', () => delays.next()),
    replace(crypto, 'randomUUID', uuid),
    replace(globalThis.crypto, 'randomUUID', uuid),
    replace(crypto, 'randomBytes', (size: number) => fill(Buffer.alloc(size))),
    replace(crypto, 'randomFillSync', (bytes: Uint8Array) => fill(bytes)),
  ];
  return () => undo.forEach((each) => each());
}

function replace<T extends object>(owner: T, name: keyof T, by: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, {
    value: by,
    configurable: true,
    writable: true,
    enumerable: before?.enumerable ?? false,
  });
  return () => {
    if (before) Object.defineProperty(owner, name, before);
    else delete owner[name];
  };
}
