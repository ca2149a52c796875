/** What the queue needs of PGlite: run one protocol message on the one session that there is. */
export interface Session {
  execProtocolRawStream(message: Uint8Array, options: { onRawData: (data: Uint8Array) => void }): Promise<void>;
}

interface Waiting {
  readonly connection: number;
  readonly message: Uint8Array;
  readonly onData: (data: Uint8Array) => void;
  readonly resolve: (bytes: number) => void;
  readonly reject: (error: Error) => void;
}

const code = (letter: string) => letter.charCodeAt(0);
const TERMINATE = code('X');
const READY = code('Z');
const IDLE = code('I');
/** Messages after which the server says ReadyForQuery: startup (no type, its length starts with 0), Query, Sync, FunctionCall, CopyDone, CopyFail. */
const ENDS_A_TURN = new Set([0, code('Q'), code('S'), code('F'), code('c'), code('f')]);
const SYNC = Uint8Array.of(code('S'), 0, 0, 0, 4);
const ROLLBACK = Uint8Array.of(code('Q'), 0, 0, 0, 13, ...Buffer.from('ROLLBACK\0'));

/** After a PANIC (a full disk, a lost file) a real server would restart; PGlite answers nothing more, not even this query. */
const PANIC = Buffer.from('SPANIC\0VPANIC\0');
const isPanic = (data: Uint8Array) => Buffer.from(data.buffer, data.byteOffset, data.length).includes(PANIC);

/** data_corrupted and index_corrupted: pages whose checksum is wrong, or that contradict each other. They do not heal. */
const DAMAGES = ['ERROR', 'FATAL'].flatMap((severity) =>
  ['XX001', 'XX002'].map((state) => Buffer.from(`V${severity}\0C${state}\0`)),
);
const isDamage = (data: Uint8Array) => {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  return DAMAGES.some((damage) => bytes.includes(damage));
};

/**
 * Shares PGlite's one session between connections: a connection owns it from its first message until the session is
 * idle again, so that neither the steps of one query nor a transaction are mixed with another connection's messages.
 * (The socket library's own queue changes the connection between any two messages outside a transaction: a query
 * whose parameters arrive in two packets then runs another connection's statement.)
 */
export class SessionQueue {
  private waiting: Waiting[] = [];
  private owner: number | undefined;
  private running: Promise<void> | undefined;
  private stalled: NodeJS.Timeout | undefined;

  constructor(
    private readonly session: Session,
    private readonly options: {
      /** An owner that sends nothing for so long while others wait is cut off (ms). */
      readonly idleInTransactionMs: number;
      readonly cutOff: (connection: number) => void;
      /** The session itself failed; nothing after this can work. */
      readonly failed: (error: Error) => void;
      /** A statement met damaged pages. */
      readonly damaged: () => void;
    },
  ) {}

  enqueue(connection: number, message: Uint8Array, onData: (data: Uint8Array) => void): Promise<number> {
    // Terminate ends a connection; the session stays for the others.
    if (message[0] === TERMINATE) return Promise.resolve(0);
    return new Promise((resolve, reject) => {
      this.waiting.push({ connection, message, onData, resolve, reject });
      this.pump();
    });
  }

  getQueueLength(): number {
    return this.waiting.length;
  }

  clearQueueForHandler(connection: number): void {
    const dropped = this.waiting.filter((entry) => entry.connection === connection);
    this.waiting = this.waiting.filter((entry) => entry.connection !== connection);
    for (const entry of dropped) entry.reject(new Error('connection closed'));
  }

  /** Called when a connection has gone: whatever it left open is rolled back before anyone else comes on. */
  async clearTransactionIfNeeded(connection: number): Promise<void> {
    while (this.running) await this.running;
    if (this.owner !== connection) return;
    this.running = this.release();
    await this.running;
    this.pump();
  }

  private pump(): void {
    if (this.running) return;
    const next = this.take();
    if (!next) {
      this.watchOwner();
      return;
    }
    clearTimeout(this.stalled);
    this.stalled = undefined;
    this.running = this.run(next).finally(() => {
      this.running = undefined;
      this.pump();
    });
  }

  private take(): Waiting | undefined {
    if (this.owner === undefined) return this.waiting.shift();
    const index = this.waiting.findIndex((entry) => entry.connection === this.owner);
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0];
  }

  private async run({ connection, message, onData, resolve, reject }: Waiting): Promise<void> {
    this.owner = connection;
    try {
      const { bytes, idle } = await this.execute(message, onData);
      if (idle) this.owner = undefined;
      resolve(bytes);
    } catch (error) {
      reject(error as Error);
      this.options.failed(error as Error);
    }
  }

  private async release(): Promise<void> {
    try {
      // An error inside an extended query makes the session skip everything up to Sync.
      const { idle } = await this.execute(SYNC, () => undefined);
      if (!idle) await this.execute(ROLLBACK, () => undefined);
      this.owner = undefined;
    } catch (error) {
      this.options.failed(error as Error);
    } finally {
      this.running = undefined;
    }
  }

  private async execute(
    message: Uint8Array,
    onData: (data: Uint8Array) => void,
  ): Promise<{ bytes: number; idle: boolean }> {
    let bytes = 0;
    let tail = new Uint8Array(0);
    await this.session.execProtocolRawStream(message, {
      onRawData: (data) => {
        bytes += data.length;
        if (isPanic(data)) this.options.failed(new Error('the database panicked'));
        if (isDamage(data)) this.options.damaged();
        tail = data.length >= 6 ? data.slice(-6) : Uint8Array.of(...tail, ...data).slice(-6);
        onData(data);
      },
    });
    const ready = ENDS_A_TURN.has(message[0] ?? 0) && tail.length === 6 && tail[0] === READY && tail[4] === 5;
    return { bytes, idle: ready && tail[5] === IDLE };
  }

  private watchOwner(): void {
    const { owner } = this;
    if (owner === undefined || this.waiting.length === 0 || this.stalled) return;
    this.stalled = setTimeout(() => {
      this.stalled = undefined;
      this.options.cutOff(owner);
    }, this.options.idleInTransactionMs);
    this.stalled.unref();
  }
}
