import { mkdir } from 'node:fs/promises';
import { CommandBus } from '@nestjs/cqrs';
import { createApiServer } from '../../api/src/api-server';
import { serve } from '../../api/src/serve';
import { connectionChecks, policiesCheck, runnerCheck, unfinishedTransfer } from '../../process/src/checks';
import { connect, projectionsOf } from '../../process/src/connections';
import { Readiness } from '../../process/src/readiness';
import { CannotStart, run } from '../../process/src/run';
import { Visibility } from '../../process/src/visibility';
import { Worker } from '../../worker/src/worker';
import { ensureApiKey } from './api-key-file';
import { startEmbeddedServers } from './embedded-servers';
import { publishServers, withdrawServers } from './servers-file';

void run({
  about: 'Runs all of Perennial in one process, with servers of its own where none are configured.',
  flags: { 'new-api-key': 'make a new API key, put it in DATA_DIR/api-key and revoke the one that was there' },
  async start(config, logger, given) {
    const servers = await startEmbeddedServers(config, logger);
    try {
      await mkdir(config.dataDir, { recursive: true });
      await publishServers(config.dataDir, servers);
      const connections = connect(servers, config, logger);
      const unfinished = await unfinishedTransfer(connections);
      if (unfinished !== undefined) throw new CannotStart(unfinished);
      const projections = projectionsOf(connections, { embedded: servers.embedsDatabase });
      let worker: Worker | undefined = undefined;
      const readiness = new Readiness([
        ...connectionChecks(connections),
        runnerCheck(projections),
        policiesCheck(() => worker),
      ]);
      const visibility = new Visibility(connections.watch, projections);
      const app = await createApiServer({ connections, readiness, visibility });
      const bus = app.get(CommandBus);
      const key = await ensureApiKey(connections, bus, { renew: given.has('new-api-key') });
      const served = await serve(app, config, readiness);
      worker = new Worker(connections, projections, visibility, bus);
      worker.start();
      logger.info({ url: served.url }, 'listening');
      process.stderr.write(welcome(served.url, key));
      return {
        async stop() {
          await served.stop();
          await worker.stop();
          await connections.close();
          await withdrawServers(config.dataDir);
          await servers.close();
        },
      };
    } catch (error) {
      await servers.close();
      throw error;
    }
  },
});

function welcome(url: string, { path, about }: { readonly path: string; readonly about: string }): string {
  return `perennial: ${url} answers; its documentation is at ${url}/docs (password: the API key)
perennial: ${about}
  curl -s -H "Authorization: Bearer $(cat ${path})" ${url}/v1/subscriptions
`;
}
