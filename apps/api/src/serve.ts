import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '@perennial/platform';
import type { Readiness } from '../../process/src/readiness';

/** A server that listens. */
export interface Served {
  readonly url: string;
  /** Turns not ready, waits SHUTDOWN_DELAY_MS, takes no more connections and finishes the requests that run. */
  stop(): Promise<void>;
}

/** Listens on HOST and PORT; throws EADDRINUSE when somebody else does. */
export async function serve(app: NestFastifyApplication, config: Config, readiness: Readiness): Promise<Served> {
  await app.listen({ port: config.port, host: config.host });
  const address = app.getHttpServer().address() as { readonly port: number };
  const host = ['0.0.0.0', '::'].includes(config.host) ? '127.0.0.1' : config.host;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    async stop() {
      readiness.drain();
      await sleep(config.shutdownDelayMs);
      const server = app.getHttpServer();
      // A connection that is kept alive would hold the server open after its last answer; one that never asks, longer.
      const idle = setInterval(() => server.closeIdleConnections(), 25);
      const all = setTimeout(() => server.closeAllConnections(), config.commandTimeoutMs + 1_000);
      await app.close();
      clearInterval(idle);
      clearTimeout(all);
    },
  };
}
