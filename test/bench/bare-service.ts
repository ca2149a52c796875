/**
 * What the service is held against: `node test/run.mjs test/bench/bare-service.ts`, with the environment of a program of
 * the service and EVENT, an event as the service stored it. A plain `node:http` handler that parses the JSON and appends
 * the same bytes with the client's own append, and the read models in the same process. Prints its URL.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { createLogger, loadConfig } from '@perennial/platform';
import { connect, projectionsOf } from '../../apps/process/src/connections';
import { ownServers } from '../../apps/process/src/own-servers';

const config = loadConfig(process.env);
const logger = createLogger('warn');
const servers = ownServers(config);
const connections = connect(servers, config, logger);
const projections = projectionsOf(connections, { embedded: false });
const client = EventStoreDBClient.connectionString(servers.eventstoreUrl);
const { data, metadata } = JSON.parse(process.env['EVENT'] ?? '') as {
  data: { line: object };
  metadata: Record<string, string>;
};

const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (part: string) => (text += part));
  request.on('end', () => {
    const item = JSON.parse(text) as { lineItemId: string; metadata: object };
    const { lineItemId } = item;
    const event = jsonEvent({
      type: 'LineItemAdded',
      data: { ...data, lineItemId, line: { ...data.line, lineItemId, lineId: randomUUID(), metadata: item.metadata } },
      metadata,
    });
    const stream = `${config.streamPrefix}.subscription-${request.url?.split('/')[3]}`;
    client.appendToStream(stream, event).then(
      ({ nextExpectedRevision, position }) => {
        response.writeHead(201, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ revision: `${nextExpectedRevision}`, position: `${position?.commit}` }));
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
});
projections.start();
server.listen(config.port, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => {
  server.closeAllConnections();
  void projections.stop().then(() => process.exit(0));
});
