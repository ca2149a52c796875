import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { CommandBus, CqrsModule } from '@nestjs/cqrs';
import { BillingApplicationModule } from '@perennial/billing-application';
import {
  printableReconcileReport,
  printableReport,
  readModelsUnderAudit,
  reconcile,
  verify,
} from '@perennial/billing-audit';
import { readPolicyPosition } from '@perennial/event-sourcing';
import { createLogger, loadConfig } from '@perennial/platform';
import { connect, type Connections, projectionsOf } from '../../process/src/connections';
import { commandLine } from './command-line';
import { reachServers } from './servers-file';

const usage = `npm run audit -- verify [--tenant TENANT] [--json FILE] [--wait SECONDS]
npm run audit -- reconcile [--fix] [--tenant TENANT] [--json FILE]

verify     replays every stream and compares with it what was derived: hash chains, snapshots, read models,
           invoices of bills, numbers, personal data. Ends with 1 when something differs.
reconcile  lists what policies owe (invoices, numbers, roll-overs, destroyed keys); --fix makes up for it by their own commands.
           Ends with 1 when something is left.

Works beside a running standalone, on DATA_DIR when none runs, or on EVENTSTORE_URL and DATABASE_URL.
--test-clock: the service runs with one, and periods are due by it.
--json writes the report to a file; --wait (60) is how long the read models and policies may take to catch up.`;

/** What an operator asked for; anything else prints the usage. */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        fix: { type: 'boolean', default: false },
        tenant: { type: 'string' },
        json: { type: 'string' },
        'test-clock': { type: 'boolean', default: false },
        wait: { type: 'string', default: '60' },
        help: { type: 'boolean', default: false },
      },
    });
    const [task, ...rest] = positionals;
    if (!values.help && rest.length === 0 && (task === 'verify' || task === 'reconcile')) return { task, ...values };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  process.stderr.write(`${usage}\n`);
  return undefined;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const asked = readArguments();
  if (!asked) return 2;
  const config = loadConfig(process.env, asked['test-clock'] ? { testClock: true } : {});
  const logger = createLogger('warn');
  const servers = await reachServers(config, logger);
  const connections = connect(servers, config, logger);
  // Nobody else keeps the read models of servers that this command has started.
  const projections = servers.own ? projectionsOf(connections, { embedded: servers.embedsDatabase }) : undefined;
  try {
    projections?.start();
    const report = await (asked.task === 'verify' ? runVerify(connections, asked) : runReconcile(connections, asked));
    process.stdout.write(`${report.text}\n`);
    if (asked.json !== undefined) await writeFile(asked.json, `${JSON.stringify(report.json, null, 2)}\n`);
    return report.ok ? 0 : 1;
  } finally {
    await projections?.stop();
    await connections.close();
    await servers.close();
  }
}

interface Outcome {
  readonly ok: boolean;
  readonly text: string;
  readonly json: unknown;
}

async function runVerify(
  connections: Connections,
  o: { readonly tenant?: string | undefined; readonly wait: string },
): Promise<Outcome> {
  const { config, store, database, repositories } = connections;
  const report = await verify({
    store,
    prefix: config.streamPrefix,
    tenant: o.tenant,
    dataKeys: repositories.dataKeys,
    readModels: readModelsUnderAudit({
      db: database.db,
      schema: config.databaseSchema,
      store,
      prefix: config.streamPrefix,
      waitMs: Number(o.wait) * 1_000,
    }),
    policyPosition: async (policy) => (await readPolicyPosition(store, config.streamPrefix, policy))?.position,
    progress: say,
  });
  return { ok: report.ok, text: printableReport(report), json: report };
}

async function runReconcile(
  connections: Connections,
  o: { readonly tenant?: string | undefined; readonly fix: boolean },
): Promise<Outcome> {
  const { config, store, clock, repositories, apiKeys } = connections;

  @Module({
    imports: [CqrsModule.forRoot(), BillingApplicationModule.register({ repositories, apiKeys, clock })],
  })
  class Reconciling {}

  const app = await NestFactory.createApplicationContext(Reconciling, { logger: ['error', 'warn'] });
  try {
    const bus = app.get(CommandBus);
    const report = await reconcile({
      store,
      prefix: config.streamPrefix,
      tenant: o.tenant,
      dataKeys: repositories.dataKeys,
      now: await clock.now(),
      fix: o.fix ? (command) => bus.execute(command) : undefined,
      progress: say,
    });
    const left = o.fix ? report.failures.length : report.gaps.length;
    return { ok: left === 0, text: printableReconcileReport(report), json: report };
  } finally {
    await app.close();
  }
}

commandLine(main);
