import { type AddressInfo, type Server as NetServer, type Socket, connect, createServer } from 'node:net';
import { Metadata, Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb';
import {
  type AppendReq,
  AppendResp,
  type BatchAppendReq,
  type BatchAppendResp,
  ReadReq,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb';
import { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb';
import type { ServerDuplexStream, ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';

const url = (server: NetServer): string => `esdb://127.0.0.1:${(server.address() as AddressInfo).port}?tls=false`;

async function listening(server: NetServer): Promise<NetServer> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** A TCP proxy that can stop copying, as a stopped process or a lost route does, while it goes on accepting. */
export async function proxyTo(
  target: string,
): Promise<{ url: string; connections(): number; freeze(): void; thaw(): void; close(): void }> {
  const port = Number(new URL(target.replace('esdb:', 'http:')).port);
  const sockets = new Set<Socket>();
  let frozen = false;
  let connections = 0;
  const server = await listening(
    createServer({ noDelay: true }, (near) => {
      connections += 1;
      const far = connect({ port, host: '127.0.0.1', noDelay: true });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.on('data', (bytes) => to.write(bytes));
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroy());
        if (frozen) from.pause();
      }
    }),
  );
  return {
    url: url(server),
    /** Accepted so far. */
    connections: () => connections,
    /** Holds for connections that are open and for new ones. */
    freeze: () => {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    /** Only connections made from now on are copied: those frozen stay half open. */
    thaw: () => {
      frozen = false;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Accepts connections and never says a word. */
export async function silentServer(): Promise<{ url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server = await listening(createServer((socket) => sockets.add(socket.on('error', () => undefined))));
  return {
    url: url(server),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export interface OddServer {
  readonly url: string;
  /** Reads and subscriptions that the client has not ended. */
  open(): number;
  /** Events handed to the transport, which takes no more while the client does not read. */
  pushed(): number;
  close(): void;
}

/**
 * A server that does what no well-behaved one can be told to: reads never end and push `data` as often as the client
 * takes it; appends are answered by the trailers of a node that is not the leader.
 */
export async function oddServer(options: { data?: string; leader?: string }): Promise<OddServer> {
  let open = 0;
  let pushed = 0;
  const server = new Server({ 'grpc.max_concurrent_streams': 100 });
  const message = (n: number): ReadResp =>
    new ReadResp().setEvent(
      new ReadResp.ReadEvent().setEvent(
        (() => {
          const event = new ReadResp.ReadEvent.RecordedEvent();
          event.setId(new UUID().setString('018f0000-0000-7000-8000-000000000000'));
          event.setStreamIdentifier(new StreamIdentifier().setStreamName(Buffer.from('odd').toString('base64')));
          event.setStreamRevision(`${n}`).setCommitPosition(`${n}`).setPreparePosition(`${n}`);
          event.setData(Buffer.from(options.data ?? '{}').toString('base64'));
          event.getMetadataMap().set('type', 'Odd').set('content-type', 'application/json').set('created', '0');
          return event;
        })(),
      ),
    );
  const read = (call: ServerWritableStream<ReadReq, ReadResp>): void => {
    open += 1;
    call.on('cancelled', () => {
      open -= 1;
    });
    if (call.request.getOptions()!.hasSubscription()) {
      call.write(new ReadResp().setConfirmation(new ReadResp.SubscriptionConfirmation().setSubscriptionId('odd')));
    }
    let n = 0;
    const push = (): void => {
      while (!call.cancelled && n < 1_000_000) {
        pushed += 1;
        if (!call.write(message(n++))) return void call.once('drain', push);
      }
    };
    push();
  };
  const notLeader = () => {
    const { hostname, port } = new URL(options.leader!.replace('esdb:', 'http:'));
    const metadata = new Metadata();
    metadata.set('exception', 'not-leader');
    metadata.set('leader-endpoint-host', hostname);
    metadata.set('leader-endpoint-port', port);
    return { code: status.NOT_FOUND, details: 'not the leader', metadata };
  };
  const append = (_: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>): void =>
    answer(notLeader());
  const batchAppend = (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void =>
    void call.on('data', () => call.emit('error', notLeader()));
  const unused = (): void => undefined;
  server.addService(StreamsService, { read, append, delete: unused, tombstone: unused, batchAppend });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    open: () => open,
    pushed: () => pushed,
    close: () => server.forceShutdown(),
  };
}
