import { Duplex } from 'node:stream';
import { PGlite } from '@electric-sql/pglite';
import type { Fault } from './chaos';
import type { Link, Server } from './link';
import { Reach } from './reach';

/* PGlite in this process, behind sockets that are none: the real driver, its pool and its protocol run over them. */

const ON_CONNECT: readonly Fault[] = ['refused', 'request-lost', 'slow'];
const ON_TURN: readonly Fault[] = ['request-lost', 'answer-lost', 'answer-lost', 'slow', 'crash'];

const QUERY = 'Q'.charCodeAt(0);
const SYNC = 'S'.charCodeAt(0);
const TERMINATE = 'X'.charCodeAt(0);
const IDLE = 'I'.charCodeAt(0);
const IDLE_IN_TRANSACTION_MS = 30_000;
const SYNCHRONISE = Buffer.from([SYNC, 0, 0, 0, 4]);
const simpleQuery = (text: string): Buffer => {
  const message = Buffer.concat([Buffer.from([QUERY, 0, 0, 0, 0]), Buffer.from(`${text}\0`)]);
  message.writeInt32BE(message.length - 1, 1);
  return message;
};

/** What it ends with is thrown away: nothing is written for the sake of a restart. */
const FORGETFUL = [
  'synchronous_commit=off',
  'full_page_writes=off',
  'wal_level=minimal',
  'max_wal_senders=0',
  'wal_init_zero=off',
].flatMap((setting) => ['-c', setting]);

/** One session, which a connection has to itself from the first query of a transaction to its end. */
export class SimulatedDatabase implements Server {
  /** Anew for each run: processes of the last one that crashed still listen to theirs. */
  reach = new Reach();
  /** Far enough away that what happens meanwhile is written in one batch: each costs as much as a dozen statements do. */
  readonly latencyMs = { from: 10, to: 30 };
  readonly lost = lost;
  /** Turns that the session has done. */
  turns = 0;
  private owner: SimulatedSocket | undefined;
  private readonly gone = new WeakSet<SimulatedSocket>();
  private readonly waiting: { readonly who: SimulatedSocket; readonly go: () => void }[] = [];
  private stalled: NodeJS.Timeout | undefined;

  private constructor(private readonly session: PGlite) {}

  /** Takes seconds, so one serves many runs, each in a schema of its own. To be made before time is taken over. */
  static async open(): Promise<SimulatedDatabase> {
    return new SimulatedDatabase(await PGlite.create({ startParams: [...PGlite.defaultStartParams, ...FORGETFUL] }));
  }

  /** Removes what a run has left. */
  drop(schema: string): void {
    this.reach = new Reach();
    this.owner = undefined;
    this.waiting.length = 0;
    this.stalled = undefined;
    // A turn that failed in its midst is over with the synchronisation alone.
    this.turn(Buffer.concat([SYNCHRONISE, simpleQuery('rollback')]));
    const answer = this.turn(simpleQuery(`drop schema if exists "${schema}" cascade`));
    if (!answer.includes('DROP SCHEMA')) throw new Error(`a run's tables stay: ${answer.toString('latin1')}`);
  }

  close(): Promise<void> {
    return this.session.close();
  }

  /** How a process connects. */
  connector(link: Link): () => Duplex {
    return () => new SimulatedSocket(this, link);
  }

  /** Runs one turn of the protocol when the session is free for this connection. */
  async run(who: SimulatedSocket, messages: Buffer): Promise<Buffer> {
    if (this.owner !== undefined && this.owner !== who) {
      const { owner } = this;
      // As the embedded server does: who holds the session and says nothing is cut off.
      this.stalled ??= setTimeout(() => owner.destroy(reset()), IDLE_IN_TRANSACTION_MS);
      await new Promise<void>((go) => this.waiting.push({ who, go }));
    }
    if (this.gone.has(who)) {
      this.release(who);
      return Buffer.alloc(0);
    }
    this.owner = who;
    clearTimeout(this.stalled);
    this.stalled = undefined;
    this.turns += 1;
    const answer = this.turn(messages);
    if (answer.at(-1) === IDLE) this.release(who);
    return answer;
  }

  /** A connection has gone: what it left open is rolled back. */
  leave(who: SimulatedSocket): void {
    this.gone.add(who);
    const place = this.waiting.findIndex((each) => each.who === who);
    if (place >= 0) this.waiting.splice(place, 1);
    if (this.owner !== who) return;
    this.turn(Buffer.concat([SYNCHRONISE, simpleQuery('rollback')]));
    this.release(who);
  }

  /** Done when this returns; what comes back is handed on as it is, where the synchronous call would read it as well. */
  private turn(messages: Uint8Array): Buffer {
    const answer: Buffer[] = [];
    void this.session.execProtocolRawStream(messages, {
      syncToFs: false,
      onRawData: (bytes) => answer.push(Buffer.from(bytes)),
    });
    return Buffer.concat(answer);
  }

  private release(who: SimulatedSocket): void {
    if (this.owner !== who) return;
    clearTimeout(this.stalled);
    this.stalled = undefined;
    const next = this.waiting.shift();
    this.owner = next?.who;
    next?.go();
  }
}

const reset = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
const lost = (how: 'refused' | 'lost'): Error =>
  how === 'refused' ? Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }) : reset();

/** The client's end of a connection, as the driver uses one. */
class SimulatedSocket extends Duplex {
  private unread: Buffer = Buffer.alloc(0);
  private started = false;
  private turn: Buffer[] = [];
  private running: Promise<void> = Promise.resolve();
  private readonly stay: () => void;

  constructor(
    private readonly database: SimulatedDatabase,
    private readonly link: Link,
  ) {
    super({ read: () => undefined });
    const stay = [
      link.whenCut(() => this.database.leave(this)),
      link.whenRefused(database, () => this.destroy(reset())),
    ];
    this.stay = () => stay.forEach((stop) => stop());
  }

  connect(): this {
    void this.link
      .call('connect', ON_CONNECT, () => undefined, this.database)
      .then(
        () => !this.destroyed && this.emit('connect'),
        (error: Error) => this.destroy(error),
      );
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.unread = this.unread.length === 0 ? chunk : Buffer.concat([this.unread, chunk]);
    for (let message = this.next(); message; message = this.next()) this.receive(message);
    done();
  }

  override _final(done: () => void): void {
    this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.stay();
    this.database.leave(this);
    done(error);
  }

  private next(): Buffer | undefined {
    const head = this.started ? 1 : 0;
    if (this.unread.length < head + 4) return undefined;
    const length = head + this.unread.readInt32BE(head);
    if (this.unread.length < length) return undefined;
    const message = this.unread.subarray(0, length);
    this.unread = this.unread.subarray(length);
    return message;
  }

  private receive(message: Buffer): void {
    if (this.started && message[0] === TERMINATE) {
      this.end();
      return;
    }
    this.turn.push(message);
    if (this.started && message[0] !== QUERY && message[0] !== SYNC) return;
    this.started = true;
    const messages = Buffer.concat(this.turn);
    this.turn = [];
    this.running = this.running.then(() => this.converse(messages));
  }

  private async converse(messages: Buffer): Promise<void> {
    if (this.destroyed) return;
    try {
      const answer = await this.link.call('query', ON_TURN, () => this.database.run(this, messages), this.database);
      if (!this.destroyed) this.push(answer);
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}
