import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { StatusError } from './grpc-errors';

/** The sending side of one read or subscription: obeys back-pressure, knows when the client has gone. */
export class Outlet {
  closed = false;
  private wake: (() => void) | undefined;
  private readonly onClosed = new Set<() => void>();

  constructor(private readonly call: ServerWritableStream<unknown, Buffer>) {
    const closed = (): void => {
      if (this.closed) return;
      this.closed = true;
      this.wake?.();
      for (const listener of this.onClosed) listener();
    };
    call.on('drain', () => this.wake?.());
    call.on('cancelled', closed);
    call.on('close', closed);
    call.on('error', closed);
  }

  /** True when more may be sent at once; otherwise wait for `drained`. */
  send(bytes: Buffer): boolean {
    return this.closed || this.call.write(bytes);
  }

  async drained(): Promise<void> {
    while (!this.closed && this.call.writableNeedDrain) {
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = undefined;
    }
  }

  /** Resolves when `subscribe`'s listener is called or the call is closed. */
  async until(subscribe: (wake: () => void) => () => void): Promise<void> {
    if (this.closed) return;
    await new Promise<void>((resolve) => {
      const stop = subscribe(done);
      const onClosed = this.onClosed;
      onClosed.add(done);
      function done(): void {
        stop();
        onClosed.delete(done);
        resolve();
      }
    });
  }

  end(): void {
    if (!this.closed) this.call.end();
    this.close();
  }

  /** Ends the call with a status other than OK. */
  fail(error: StatusError): void {
    if (!this.closed) this.call.emit('error', error);
    this.close();
  }

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    this.wake?.();
    for (const listener of this.onClosed) listener();
  }
}

export const consumerTooSlow = (): StatusError =>
  new StatusError(status.ABORTED, 'Consumer too slow to handle event while live. Client resubscription required.');
