import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { noFaults, type FaultSwitches, type Faults } from './faults';
import { shuttingDown } from './grpc-errors';
import { EventLog } from './log';
import { addServices, type ServerState } from './service';
import { openStorage } from './open';
import { RECLAIM, startReclaiming, type ReclaimOptions } from './reclaim';

export interface EventStoreOptions {
  /** Directory of the log; made when missing. Absent: everything is kept in memory. */
  dataDir?: string;
  /** TCP port; 0 or absent takes a free one. */
  port?: number;
  /** Address to listen on, 127.0.0.1 by default: whoever reaches it can write. */
  host?: string;
  faults?: Partial<FaultSwitches>;
  /** When truncated events are removed for good. */
  reclaim?: Partial<ReclaimOptions>;
  /** Told what opening found: the position it opened on and any damage. */
  onNotice?: (notice: string) => void;
}

/** A running server. */
export interface RunningEventStore {
  /** For the client: `esdb://127.0.0.1:PORT?tls=false`. */
  url: string;
  port: number;
  faults: Faults;
  /** Answers what is outstanding, ends open reads, closes the files; connections left after a bound are cut. */
  close(): Promise<void>;
}

/** Largest request accepted: what clients send at most in one message. */
const MAX_MESSAGE_BYTES = 20 * 1024 * 1024;
const CLOSE_BOUND_MS = 2000;

/**
 * Starts a server in this process.
 * @throws DirectoryInUse when another process has the data directory, DamagedStore when it cannot be opened,
 * and the system's error when the port is taken.
 */
export async function startEventStore(options: EventStoreOptions = {}): Promise<RunningEventStore> {
  const host = options.host ?? '127.0.0.1';
  const notice = options.onNotice ?? (() => undefined);
  const { storage, release } = openStorage(options.dataDir, notice);
  const log = new EventLog(storage);
  const grpc = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_permit_without_calls': 1,
  });
  const sockets = new Set<Socket>();
  const state: ServerState = {
    log,
    faults: { ...noFaults(), ...options.faults },
    endpoint: { host, port: options.port ?? 0 },
    reads: new Set(),
    batches: new Set(),
    pendingWrites: 0,
    closing: false,
  };
  addServices(grpc, state);
  // Connections are accepted here and handed to the gRPC server, so that they can be refused, reset and counted.
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer((socket) => {
    if (state.faults.refuseConnections) {
      socket.resetAndDestroy();
      return;
    }
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  try {
    state.endpoint.port = await listen(listener, host, options.port ?? 0);
  } catch (error) {
    await log.close();
    release();
    throw error;
  }
  const faults = Object.assign(state.faults, {
    resetConnections: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    endReadsSilently: () => {
      for (const read of [...state.reads]) read.end();
    },
  });
  const stopReclaiming = startReclaiming(log, storage, { ...RECLAIM, ...options.reclaim }, (error) => {
    notice(`space could not be reclaimed: ${error instanceof Error ? error.message : String(error)}`);
  });
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const stopped = new Promise<void>((resolve) => listener.close(() => resolve()));
    state.closing = true;
    for (const stop of [...state.batches]) stop();
    for (const read of [...state.reads]) read.fail(shuttingDown());
    const bound = setTimeout(() => {
      grpc.forceShutdown();
      for (const socket of sockets) socket.destroy();
    }, CLOSE_BOUND_MS);
    await new Promise<void>((resolve) => grpc.tryShutdown(() => resolve()));
    injector.destroy();
    for (const socket of sockets) socket.destroy();
    await stopped;
    clearTimeout(bound);
    stopReclaiming();
    await log.close();
    release();
  };
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `esdb://${shown}:${state.endpoint.port}?tls=false`,
    port: state.endpoint.port,
    faults,
    close: () => (closed ??= close()),
  };
}

function listen(listener: NetServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, host, () => {
      listener.off('error', reject);
      resolve((listener.address() as AddressInfo).port);
    });
  });
}
