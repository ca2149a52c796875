import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import { createLogger, InvalidConfiguration, loadConfig } from '@perennial/platform';
import { connect } from '../../process/src/connections';
import { createApiKey } from '../../process/src/create-api-key';
import { ownServers } from '../../process/src/own-servers';
import { CannotStart } from '../../process/src/run';
import { CommandsModule } from '../../process/src/commands.module';
import { type Scope, scopes } from './http/principal';

const usage = `Makes an API key and prints it, once. Needs EVENTSTORE_URL.

  --tenant <name>    default: default
  --name <text>      what it is for; default: command line
  --scopes <a,b>     of ${scopes.join(', ')}; default: all
`;

/** The first key of an installation of several processes; further ones can be made over HTTP. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tenant: { type: 'string', default: 'default' },
      name: { type: 'string', default: 'command line' },
      scopes: { type: 'string', default: scopes.join(',') },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const asked = values.scopes.split(',').map((scope) => scope.trim());
  const wrong = asked.filter((scope) => !(scopes as readonly string[]).includes(scope));
  if (wrong.length > 0) throw new CannotStart(`there is no scope ${wrong.join(', ')}; there are ${scopes.join(', ')}`);
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(values.tenant)) {
    throw new CannotStart('a tenant is 1 to 63 of a-z, 0-9 and hyphen');
  }
  const config = loadConfig(process.env);
  const servers = ownServers({ ...config, databaseUrl: config.databaseUrl ?? 'postgres://unused' });
  const connections = connect(servers, config, createLogger('error'));
  const app = await NestFactory.createApplicationContext(CommandsModule.register(connections), { logger: ['error'] });
  try {
    const { token } = await createApiKey(app.get(CommandBus), {
      tenant: values.tenant,
      name: values.name,
      scopes: asked as Scope[],
    });
    process.stdout.write(`${token}\n`);
  } finally {
    await app.close();
    await connections.close();
  }
}

main().catch((error: unknown) => {
  const plain = error instanceof CannotStart || error instanceof InvalidConfiguration;
  process.stderr.write(`perennial: ${plain ? error.message : String(error)}\n`);
  process.exit(1);
});
