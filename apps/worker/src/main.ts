import { CommandBus } from '@nestjs/cqrs';
import { createHttpServer } from '../../api/src/http/http-server';
import { serve } from '../../api/src/serve';
import { connectionChecks, policiesCheck, runnerCheck } from '../../process/src/checks';
import { connect, projectionsOf } from '../../process/src/connections';
import { ownServers } from '../../process/src/own-servers';
import { Readiness } from '../../process/src/readiness';
import { run } from '../../process/src/run';
import { Visibility } from '../../process/src/visibility';
import { Worker } from './worker';
import { WorkerModule } from './worker.module';

void run({
  about: 'Runs projections, policies and the scheduler of Perennial. Needs EVENTSTORE_URL and DATABASE_URL.',
  async start(config, logger) {
    const connections = connect(ownServers(config), config, logger);
    const projections = projectionsOf(connections, { embedded: false });
    let worker: Worker | undefined = undefined;
    const readiness = new Readiness([
      ...connectionChecks(connections),
      runnerCheck(projections),
      policiesCheck(() => worker),
    ]);
    const module = WorkerModule.register(connections, readiness);
    const app = await createHttpServer(module, config, logger, (key) => connections.apiKeys.authenticate(key));
    const served = await serve(app, config, readiness);
    const visibility = new Visibility(connections.watch, projections);
    worker = new Worker(connections, projections, visibility, app.get(CommandBus));
    worker.start();
    logger.info({ url: served.url }, 'the worker is running; health and metrics are listening');
    return {
      async stop() {
        readiness.drain();
        await worker.stop();
        await served.stop();
        await connections.close();
      },
    };
  },
});
