import { writeFile } from 'node:fs/promises';
import { createLogger, loadConfig } from '@perennial/platform';
import { connect } from '../../process/src/connections';
import { Readiness } from '../../process/src/readiness';
import { Visibility } from '../../process/src/visibility';
import { createApiServer } from './api-server';
import { OpenApi } from './docs.controller';

/** Writes the OpenAPI document to the file that is named (docs/openapi.json), as the API serves it; connects to nothing. */
async function main(): Promise<void> {
  const config = loadConfig({});
  const servers = { eventstoreUrl: 'esdb://127.0.0.1:1?tls=false', databaseUrl: 'postgres://127.0.0.1:1/none' };
  const connections = connect(servers, config, createLogger('warn'));
  const visibility = new Visibility(connections.watch);
  const app = await createApiServer({ connections, readiness: new Readiness([]), visibility });
  const { document } = app.get(OpenApi);
  await writeFile(process.argv[2] ?? 'docs/openapi.json', `${JSON.stringify(document, null, 2)}\n`);
  await app.close();
  await connections.close();
}

void main();
