import { Program } from '../support/processes';
import { type ReadModelWatch, type Side, startSubscriptions } from './command-load';
import { type BenchServers, newApiKey } from './servers';

/** The service on these servers, API and worker in one process as `npm start` runs it, with subscriptions of its own. */
export interface Service extends Side {
  readonly program: Program;
}

/** Starts it with its defaults and so many subscriptions, each with its first invoice: what policies owe is done before anything is measured. */
export async function startService(
  servers: BenchServers,
  subscriptions: number,
  readModels: ReadModelWatch,
): Promise<Service> {
  const token = await newApiKey(servers);
  const program = await Program.start({ program: 'standalone', env: { ...servers.env, LOG_LEVEL: 'info' } });
  try {
    await program.ready();
    const { url, pid } = program;
    const ids = await startSubscriptions(url, token, subscriptions);
    await readModels.untilFinalised(servers.schema, subscriptions);
    return { program, url, token, pid, schema: servers.schema, subscriptions: ids };
  } catch (error) {
    await program.stop();
    throw error;
  }
}
