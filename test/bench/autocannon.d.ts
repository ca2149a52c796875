/** What the benchmarks use of autocannon 8. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  interface Request {
    method: string;
    path: string;
    headers: Record<string, string>;
    body: string;
  }
  interface Options {
    readonly url: string;
    readonly connections: number;
    /** Seconds. */
    readonly duration: number;
    /** Ms between two looks at whether the time is over. */
    readonly sampleInt?: number;
    readonly requests: readonly {
      readonly setupRequest: (request: Request) => Request;
      readonly onResponse?: (status: number, body: string) => void;
    }[];
  }
  interface Result {
    readonly errors: number;
    readonly timeouts: number;
    readonly non2xx: number;
  }
  function autocannon(options: Options): EventEmitter & Promise<Result>;
  export = autocannon;
}
