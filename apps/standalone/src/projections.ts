import { billingCatalogs } from '@perennial/billing-domain';
import { parseArgs } from 'node:util';
import { billingProjections } from '@perennial/billing-read-models';
import {
  diffProjection,
  type Projection,
  type RebuildProgress,
  rebuildProjection,
  resetFeed,
} from '@perennial/event-sourcing';
import { createLogger, loadConfig } from '@perennial/platform';
import { connect, type Connections, projectionsOf } from '../../process/src/connections';
import { commandLine } from './command-line';
import { reachServers } from './servers-file';

const usage = `npm run projections -- list
npm run projections -- rebuild NAME | --all
npm run projections -- diff [NAME]

list     the read models: version, position, lag, and how many streams wait because an event failed
rebuild  builds a model beside the live one from the first event and then switches; --all throws all rows away and
         builds every model again, which is what a store restored from an older backup needs (store-diverged)
diff     builds a copy and compares it with the live rows at one position; ends with 1 when they differ

Works beside a running standalone, on DATA_DIR when none runs, or on EVENTSTORE_URL and DATABASE_URL.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { all: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  const [task = '', name, ...rest] = positionals;
  const tasks = ['list', 'rebuild', 'diff'];
  if (
    values.help ||
    !tasks.includes(task) ||
    rest.length > 0 ||
    (task === 'rebuild' && (name === undefined) !== values.all)
  ) {
    process.stderr.write(`${usage}\n`);
    return values.help ? 0 : 2;
  }
  const chosen = billingProjections.filter((projection) => name === undefined || projection.name === name);
  if (chosen.length === 0) {
    process.stderr.write(`there is no ${name}; there are ${billingProjections.map((each) => each.name).join(', ')}\n`);
    return 2;
  }

  const config = loadConfig(process.env);
  const logger = createLogger('warn');
  const servers = await reachServers(config, logger);
  const connections = connect(servers, config, logger);
  const runner = servers.own ? projectionsOf(connections, { embedded: servers.embedsDatabase }) : undefined;
  try {
    if (values.all) {
      await resetFeed(connections.database.db, config.databaseSchema, billingProjections);
      process.stdout.write('every read model begins again from the first event\n');
    }
    runner?.start();
    if (task === 'list') return await list(connections);
    if (values.all) return await waitForAll(connections);
    let differing = 0;
    for (const projection of chosen) differing += await (task === 'diff' ? diff : rebuild)(connections, projection);
    return differing === 0 ? 0 : 1;
  } finally {
    await runner?.stop();
    await connections.close();
    await servers.close();
  }
}

async function list({ watch }: Connections): Promise<number> {
  const line = (cells: readonly string[]) =>
    process.stdout.write(`${cells.map((cell, column) => cell.padEnd([26, 8, 10, 14, 12, 0][column] ?? 0)).join('')}\n`);
  line(['MODEL', 'VERSION', 'STATE', 'POSITION', 'LAG', 'WAITING STREAMS']);
  for (const { name, version } of billingProjections) {
    const { position, lagMs, incomplete, state } = await watch.asOf(name);
    const lag = lagMs === Number.MAX_SAFE_INTEGER ? 'never yet' : `${lagMs} ms`;
    line([name, String(version), state, position?.toString() ?? '-', lag, String(incomplete)]);
  }
  return 0;
}

async function rebuild(connections: Connections, projection: Projection): Promise<number> {
  const { position, events } = await rebuildProjection(contextOf(connections), projection, progress(projection.name));
  process.stdout.write(
    `${projection.name}: built from ${events} events up to position ${position ?? '-'} and switched\n`,
  );
  return 0;
}

async function diff(connections: Connections, projection: Projection): Promise<number> {
  const found = await diffProjection(contextOf(connections), projection, progress(projection.name));
  const result = found.differing === 0 ? 'no difference' : `${found.differing} rows differ`;
  process.stdout.write(`${projection.name}: ${found.rows} rows at position ${found.position ?? '-'}: ${result}\n`);
  for (const { table, side, row } of found.differences) {
    process.stdout.write(`  ${table}: only in the ${side}: ${JSON.stringify(row)}\n`);
  }
  return found.differing;
}

/** Until every model has seen the store's head; for as long as it takes, telling how far it is. */
async function waitForAll({ store, watch, config }: Connections): Promise<number> {
  const head = await store.headPosition();
  if (head === undefined) return 0;
  for (const { name } of billingProjections) {
    while (!(await watch.waitFor(name, head, 2_000))) {
      const { position } = await watch.asOf(name);
      process.stderr.write(`${name}: at ${position ?? '-'} of ${head} (${config.databaseSchema})\n`);
    }
  }
  return 0;
}

function contextOf({ config, store, database }: Connections) {
  return {
    db: database.db,
    schema: config.databaseSchema,
    store,
    streamPrefix: config.streamPrefix,
    catalogs: billingCatalogs,
  };
}

function progress(name: string) {
  let said = performance.now();
  return {
    onProgress({ events, position, target }: RebuildProgress) {
      if (performance.now() - said < 1_000) return;
      said = performance.now();
      process.stderr.write(`${name}: ${events} events, at ${position ?? '-'} of ${target ?? '-'}\n`);
    },
  };
}

commandLine(main);
