import { connectionChecks, readModelsCheck } from '../../process/src/checks';
import { connect } from '../../process/src/connections';
import { ownServers } from '../../process/src/own-servers';
import { Readiness } from '../../process/src/readiness';
import { run } from '../../process/src/run';
import { Visibility } from '../../process/src/visibility';
import { createApiServer } from './api-server';
import { serve } from './serve';

void run({
  about: 'Serves the HTTP API of Perennial. Needs EVENTSTORE_URL and DATABASE_URL, and a worker beside it.',
  async start(config, logger) {
    const connections = connect(ownServers(config), config, logger);
    const readiness = new Readiness([...connectionChecks(connections), readModelsCheck(connections)]);
    const app = await createApiServer({ connections, readiness, visibility: new Visibility(connections.watch) });
    const served = await serve(app, config, readiness);
    logger.info({ url: served.url }, 'the API is listening');
    return {
      async stop() {
        await served.stop();
        await connections.close();
      },
    };
  },
});
