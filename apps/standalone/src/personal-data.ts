import { createLogger, loadConfig } from '@perennial/platform';
import { connect } from '../../process/src/connections';
import { commandLine } from './command-line';
import { reachServers } from './servers-file';

const usage = `npm run personal-data -- rewrap

rewrap  wraps every data key under the first key of PERSONAL_DATA_MASTER_KEY, so that the others can be put away.
        Every process must have been given both before. Safe to repeat, beside a running service.

Works beside a running standalone, on DATA_DIR when none runs, or on EVENTSTORE_URL and DATABASE_URL.`;

async function main(): Promise<number> {
  if (process.argv.slice(2).join(' ') !== 'rewrap') {
    process.stderr.write(`${usage}\n`);
    return 2;
  }
  const config = loadConfig(process.env);
  const logger = createLogger('warn');
  const servers = await reachServers(config, logger);
  const connections = connect(servers, config, logger);
  try {
    const { keys, rewrapped } = await connections.repositories.dataKeys.rewrap();
    process.stdout.write(`${rewrapped} of ${keys} data keys were wrapped anew\n`);
    return 0;
  } finally {
    await connections.close();
    await servers.close();
  }
}

commandLine(main);
