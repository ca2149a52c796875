import { StoreUnavailable } from './errors';

/** Streams open at once on one HTTP/2 connection: servers allow 100 and let the next wait in silence (defect 5.3#1). */
const MAX_OPEN_CALLS = 90;

/**
 * One client of the store with its channel, replaced as a whole when a call was left unanswered. Calls that are
 * under way on a replaced client end there; it is closed after the last of them.
 */
export class StoreConnection<Client> {
  #current: { readonly client: Client; open: number; retired: boolean };
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  constructor(
    private readonly connect: () => Client,
    private readonly disconnect: (client: Client) => void,
  ) {
    this.#current = this.#connect();
  }

  /** Waits at most `waitMs` for a free call, else throws StoreUnavailable; `release` must be called once. */
  async open(waitMs: number): Promise<OpenCall<Client>> {
    if (this.#open >= MAX_OPEN_CALLS) await this.#turn(waitMs);
    this.#open += 1;
    const mine = this.#current;
    mine.open += 1;
    let released = false;
    return {
      client: mine.client,
      release: () => {
        if (released) return;
        released = true;
        this.#open -= 1;
        mine.open -= 1;
        if (mine.retired && mine.open === 0) this.disconnect(mine.client);
        this.#waiting.shift()?.();
      },
      replace: () => {
        if (this.#current === mine) this.#replace();
      },
    };
  }

  close(): void {
    const { client } = this.#current;
    this.#current.retired = true;
    this.disconnect(client);
  }

  #replace(): void {
    const old = this.#current;
    this.#current = this.#connect();
    old.retired = true;
    if (old.open === 0) this.disconnect(old.client);
  }

  #connect(): { client: Client; open: number; retired: boolean } {
    return { client: this.connect(), open: 0, retired: false };
  }

  async #turn(waitMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(new StoreUnavailable('the event store is too busy', `${MAX_OPEN_CALLS} calls are open`));
      }, waitMs);
      this.#waiting.push(go);
    });
  }
}

export interface OpenCall<Client> {
  readonly client: Client;
  release(): void;
  /** The call was left unanswered: the next ones get a new client. Only the first of many that saw it replaces it. */
  replace(): void;
}
