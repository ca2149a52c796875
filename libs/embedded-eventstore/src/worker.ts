import { join } from 'node:path';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { noFaults, type FaultSwitches, type Faults } from './faults';
import { startEventStore, type EventStoreOptions, type RunningEventStore } from './server';

type FromWorker =
  | { kind: 'started'; url: string; port: number }
  | { kind: 'failed'; name: string; message: string }
  | { kind: 'notice'; notice: string };
type ToWorker =
  | { kind: 'fault'; name: keyof FaultSwitches; value: unknown }
  | { kind: 'do'; name: 'resetConnections' | 'endReadsSilently' }
  | { kind: 'close' };

/** Longer than the server's own bound on closing. */
const CLOSE_BOUND_MS = 5000;

/**
 * Starts a server in a worker thread of its own, so that neither keeps the other waiting. Run from TypeScript (under
 * jest) there is no file a worker could load; then it runs in this thread.
 * @throws the same as `startEventStore`, as plain errors with its messages.
 */
export async function startEventStoreWorker(options: EventStoreOptions = {}): Promise<RunningEventStore> {
  if (__filename.endsWith('.ts')) return startEventStore(options);
  const { onNotice, ...data } = options;
  const worker = new Worker(join(__dirname, 'worker.js'), { workerData: { eventStore: data } });
  const started = await new Promise<{ url: string; port: number }>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'started') resolve(message);
      else if (message.kind === 'notice') onNotice?.(message.notice);
      else reject(Object.assign(new Error(message.message), { name: message.name }));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the event store's thread ended with code ${code}`)));
  });
  const post = (message: ToWorker): void => worker.postMessage(message);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    post({ kind: 'close' });
    const bound = setTimeout(() => void worker.terminate(), CLOSE_BOUND_MS);
    await exited;
    clearTimeout(bound);
  };
  return {
    url: started.url,
    port: started.port,
    faults: remoteFaults({ ...noFaults(), ...options.faults }, post),
    close: () => (closed ??= close()),
  };
}

/** Switches here that are set over there as well. */
function remoteFaults(values: FaultSwitches, post: (message: ToWorker) => void): Faults {
  const actions = {
    resetConnections: () => post({ kind: 'do', name: 'resetConnections' }),
    endReadsSilently: () => post({ kind: 'do', name: 'endReadsSilently' }),
  };
  return new Proxy(Object.assign(values, actions), {
    set(target, name, value) {
      post({ kind: 'fault', name: name as keyof FaultSwitches, value });
      return Reflect.set(target, name, value);
    },
  });
}

async function serve(options: EventStoreOptions): Promise<void> {
  const port = parentPort;
  if (port === null) return;
  const tell = (message: FromWorker): void => port.postMessage(message);
  try {
    const server = await startEventStore({ ...options, onNotice: (notice) => tell({ kind: 'notice', notice }) });
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'fault') Object.assign(server.faults, { [message.name]: message.value });
      else if (message.kind === 'do') server.faults[message.name]();
      else void server.close().then(() => port.close());
    });
    tell({ kind: 'started', url: server.url, port: server.port });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    tell({ kind: 'failed', name, message });
    port.close();
  }
}

const task = (workerData as { eventStore?: EventStoreOptions } | null)?.eventStore;
if (!isMainThread && task !== undefined) void serve(task);
