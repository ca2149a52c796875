import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/**
 * What becomes of a piece that came from the client. `hold`: neither it nor anything after it goes on in either
 * direction; `unanswered`: it goes on, and nothing comes back on that connection any more; `reset`: the connection is
 * reset without it; `reset-after`: it goes on, and the connection is reset at the first byte of the answer.
 */
export type Verdict = 'pass' | 'hold' | 'unanswered' | 'reset' | 'reset-after';

/** A TCP proxy on loopback that behaves as badly as networks do. */
export interface TcpProxy {
  readonly port: number;
  /** Where new connections lead. */
  target: { host: string; port: number };
  /** Bytes of open connections are no longer passed on, in both directions; new connections work. */
  freezeOpen(): void;
  /** Resets every open connection. */
  cut(): void;
  /** Whether new connections are reset at once. */
  refuse: boolean;
  /** What a new connection is told, whatever it asks, before it is closed. */
  dismissWith: Buffer | undefined;
  /** How late each piece arrives, in ms, in each direction. */
  delayMs: number;
  /** Looks at each piece from a client. */
  watch: ((piece: Buffer) => Verdict) | undefined;
  /** Pieces that came back on connections where nothing is answered any more. */
  readonly answersLost: number;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  held: boolean;
  unanswered: boolean;
  resetOnAnswer: boolean;
}

export async function tcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let answersLost = 0;
  const end = (pair: Pair) => {
    pairs.delete(pair);
    pair.client.destroy();
    pair.upstream.destroy();
  };
  const reset = (pair: Pair) => {
    pair.client.resetAndDestroy();
    pair.upstream.destroy();
  };

  /** Passes pieces on in their order, each as `decide` says (false: never), after the delay of the moment. */
  const passing = (pair: Pair, decide: (piece: Buffer) => boolean) =>
    new Transform({
      transform(piece: Buffer, _, done) {
        if (pair.held || !decide(piece)) return; // Never done: the sender feels the pressure.
        if (proxy.delayMs === 0) done(null, piece);
        else setTimeout(() => done(null, piece), proxy.delayMs);
      },
    });

  const server = createServer((client) => {
    if (proxy.refuse) {
      client.resetAndDestroy();
      return;
    }
    const { dismissWith } = proxy;
    if (dismissWith) {
      client.on('error', () => client.destroy());
      client.once('data', () => client.end(dismissWith));
      return;
    }
    const upstream = connect(proxy.target.port, proxy.target.host);
    const pair: Pair = { client, upstream, held: false, unanswered: false, resetOnAnswer: false };
    pairs.add(pair);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on('error', () => end(pair));
      socket.on('close', () => end(pair));
    }
    const asked = passing(pair, (piece) => {
      const verdict = proxy.watch?.(piece) ?? 'pass';
      if (verdict === 'hold') pair.held = true;
      if (verdict === 'unanswered') pair.unanswered = true;
      if (verdict === 'reset-after') pair.resetOnAnswer = true;
      if (verdict === 'reset') reset(pair);
      return verdict !== 'hold' && verdict !== 'reset';
    });
    const answered = passing(pair, () => {
      if (pair.resetOnAnswer) reset(pair);
      if (pair.unanswered) answersLost += 1;
      return !pair.unanswered && !pair.resetOnAnswer;
    });
    client.pipe(asked).pipe(upstream);
    upstream.pipe(answered).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    target,
    refuse: false,
    dismissWith: undefined,
    delayMs: 0,
    watch: undefined,
    get answersLost() {
      return answersLost;
    },
    freezeOpen() {
      for (const pair of pairs) pair.held = true;
    },
    cut() {
      for (const pair of pairs) reset(pair);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      proxy.cut();
      await closed;
    },
  };
  return proxy;
}
