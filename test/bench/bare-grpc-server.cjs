// A gRPC server that does nothing but stream bytes it already has: the events of another server, read once at start.
//   node bare-grpc-server.cjs URL EVENTS
const grpc = require('@grpc/grpc-js');
const { StreamsService, StreamsClient } = require('@eventstore/db-client/generated/streams_grpc_pb');
const { ServerFeaturesService } = require('@eventstore/db-client/generated/serverfeatures_grpc_pb');
const { SupportedMethods } = require('@eventstore/db-client/generated/serverfeatures_pb');
const { EventStoreDBClient, START, streamNameFilter } = require('@eventstore/db-client');

const raw = (bytes) => bytes;

/** The messages of a filtered catch-up as they come over the wire. */
function record(url, count) {
  const target = /^esdb:\/\/([^?]+)/.exec(url)[1];
  const Raw = grpc.makeGenericClientConstructor(
    { read: { ...StreamsService.read, responseDeserialize: raw } },
    'Streams',
  );
  const client = new Raw(target, grpc.credentials.createInsecure());
  // The request is what the real client sends: taken from it.
  const original = StreamsClient.prototype.read;
  return new Promise((resolve, reject) => {
    StreamsClient.prototype.read = function (request) {
      StreamsClient.prototype.read = original;
      const call = client.read(request);
      const messages = [];
      let events = 0;
      call.on('data', (bytes) => {
        messages.push(bytes);
        if (bytes[0] === 0x0a && ++events === count) {
          call.cancel();
          resolve(messages);
        }
      });
      call.on('error', (error) => events < count && reject(error));
      return call;
    };
    const real = EventStoreDBClient.connectionString(url);
    const filter = streamNameFilter({ prefixes: ['catchup-'] });
    real.subscribeToAll({ fromPosition: START, filter }).on('error', () => undefined);
  });
}

async function main() {
  const messages = await record(process.argv[2], Number(process.argv[3]));
  const server = new grpc.Server();
  server.addService(ServerFeaturesService, {
    getSupportedMethods: (_, answer) => answer(null, new SupportedMethods()),
  });
  server.addService(
    { read: { ...StreamsService.read, responseSerialize: raw } },
    {
      read: async (call) => {
        for (const message of messages) {
          if (!call.write(message)) await new Promise((resolve) => call.once('drain', resolve));
        }
      },
    },
  );
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(`esdb://127.0.0.1:${port}?tls=false`);
  });
  process.on('SIGTERM', () => process.exit(0));
}

main();
