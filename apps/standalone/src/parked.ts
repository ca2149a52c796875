import { billingCatalogs } from '@perennial/billing-domain';
import { parseArgs } from 'node:util';
import { billingPolicies } from '@perennial/billing-application';
import { billingProjections } from '@perennial/billing-read-models';
import { readParked, readParkedReactions, requestRetry, retryParked } from '@perennial/event-sourcing';
import { createLogger, loadConfig } from '@perennial/platform';
import { connect, type Connections } from '../../process/src/connections';
import { commandLine } from './command-line';
import { reachServers } from './servers-file';

const usage = `npm run parked -- list
npm run parked -- retry NAME STREAM
npm run parked -- skip NAME STREAM

An event on which a read model or a policy failed is parked; its stream waits there, everything else goes on.
list   what is parked, where and why; ends with 1 when there is something
retry  tries the event again, and then what has come after it
skip   leaves the event out and goes on with what has come after it: the rows, or the invoices, then lack it

NAME is a read model or a policy. A policy acts in the running worker; a read model is mended by this command itself.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', default: false } },
  });
  const [task = '', name, stream, ...rest] = positionals;
  const complete = task === 'list' ? name === undefined : ['retry', 'skip'].includes(task) && stream !== undefined;
  if (values.help || !complete || rest.length > 0) {
    process.stderr.write(`${usage}\n`);
    return values.help ? 0 : 2;
  }
  const config = loadConfig(process.env);
  const logger = createLogger('warn');
  const servers = await reachServers(config, logger);
  const connections = connect(servers, config, logger);
  try {
    if (name === undefined || stream === undefined) return await list(connections);
    return await release(connections, name, stream, task === 'skip');
  } finally {
    await connections.close();
    await servers.close();
  }
}

async function list({ config, store, database }: Connections): Promise<number> {
  const lines: string[] = [];
  for (const { projection, stream, revision, type, error } of await readParked(database.db, config.databaseSchema)) {
    lines.push(`${projection}  ${stream}@${revision}  ${type}: ${error}`);
  }
  for (const { name } of billingPolicies) {
    const { waiting } = await readParkedReactions(store, config.streamPrefix, name);
    for (const { stream, revision, type, command, error } of waiting.values()) {
      lines.push(`${name}  ${stream}@${revision}  ${type}${command ? ` → ${command}` : ''}: ${error}`);
    }
  }
  process.stdout.write(lines.length === 0 ? 'nothing is parked\n' : `${lines.join('\n')}\n`);
  return lines.length === 0 ? 0 : 1;
}

async function release(connections: Connections, name: string, stream: string, skip: boolean): Promise<number> {
  const { config, store, database } = connections;
  if (billingPolicies.some((policy) => policy.name === name)) {
    const answer = await requestRetry(store, config.streamPrefix, { policy: name, stream, skip });
    const said = {
      released: `${stream} no longer waits for ${name}`,
      'parked-again': `${stream} failed again in ${name}`,
      unanswered: `asked ${name} to go on with ${stream}; it will as soon as a worker runs`,
    };
    process.stdout.write(`${said[answer]}\n`);
    return answer === 'parked-again' ? 1 : 0;
  }
  if (!billingProjections.some((projection) => projection.name === name)) {
    const names = [...billingProjections, ...billingPolicies].map((each) => each.name);
    process.stderr.write(`there is no ${name}; there are ${names.join(', ')}\n`);
    return 2;
  }
  const context = {
    db: database.db,
    schema: config.databaseSchema,
    store,
    streamPrefix: config.streamPrefix,
    projections: billingProjections,
    catalogs: billingCatalogs,
  };
  const done = await retryParked(context, { projection: name, stream, skip });
  process.stdout.write(done ? `${stream} no longer waits in ${name}\n` : `${stream} failed again in ${name}\n`);
  return done ? 0 : 1;
}

commandLine(main);
