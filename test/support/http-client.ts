import { Agent, request as send } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON; the text when it is none; undefined when there is no body. */
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- what a server says is not known
}

export interface Ask {
  readonly body?: unknown;
  /** Idempotency-Key. */
  readonly key?: string;
  /** If-Match, a revision. */
  readonly revision?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 30,000. */
  readonly timeoutMs?: number;
}

/** A caller of one API process over kept-alive connections. `ask` rejects when no whole answer came. */
export class HttpClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 256 });

  constructor(
    readonly url: string,
    private readonly token?: string,
  ) {}

  ask(method: string, path: string, { body, key, revision, headers, timeoutMs = 30_000 }: Ask = {}): Promise<Answer> {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = send(
        new URL(path, this.url),
        {
          agent: this.agent,
          method,
          headers: {
            ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
            ...(key === undefined ? {} : { 'idempotency-key': key }),
            ...(revision === undefined ? {} : { 'if-match': `"${revision}"` }),
            ...headers,
          },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            if (!response.complete) return reject(new Error('the answer was cut off'));
            const whole = Buffer.concat(parts).toString('utf8');
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parsed(whole) });
          });
        },
      );
      request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      request.on('error', reject);
      request.end(text);
    });
  }

  get(path: string, ask?: Ask): Promise<Answer> {
    return this.ask('GET', path, ask);
  }

  post(path: string, body: unknown, key: string, ask?: Omit<Ask, 'body' | 'key'>): Promise<Answer> {
    return this.ask('POST', path, { ...ask, body, key });
  }

  close(): void {
    this.agent.destroy();
  }
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
