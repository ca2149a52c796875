import { parseArgs } from 'node:util';
import { startEventStore } from './server';

const USAGE = `Usage: npm run eventstore -- [--data DIR | --memory] [--port N] [--host ADDRESS]

A single-node event store that speaks EventStoreDB's gRPC protocol.

  --data DIR      keep the log in this directory (made when missing)
  --memory        keep everything in memory
  --port N        TCP port, 2113 by default, 0 for a free one
  --host ADDRESS  address to listen on, 127.0.0.1 by default; whoever reaches it can write
  --help          this text
`;

interface Command {
  dataDir: string | undefined;
  port: number;
  host: string;
}

/** The command a command line asks for, 'help', or what is wrong with it. */
export function parseCommand(args: string[]): Command | 'help' | { problem: string } {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        data: { type: 'string' },
        memory: { type: 'boolean', default: false },
        port: { type: 'string', default: '2113' },
        host: { type: 'string', default: '127.0.0.1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    return { problem: (error as Error).message };
  }
  if (values.help) return 'help';
  if (values.memory === (values.data !== undefined)) return { problem: 'give either --data DIR or --memory' };
  if (values.data === '') return { problem: '--data needs a directory' };
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : NaN;
  if (!(port <= 65_535)) return { problem: `--port ${values.port} is not a port number` };
  return { dataDir: values.data, port, host: values.host };
}

async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2));
  if (command === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  if ('problem' in command) {
    process.stderr.write(`${command.problem}\n\n${USAGE}`);
    return 2;
  }
  const { dataDir, port, host } = command;
  // Heard before the server is up, so that a stop during a long check of the files is not lost.
  const stop = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  const server = await startEventStore({
    ...(dataDir === undefined ? {} : { dataDir }),
    port,
    host,
    onNotice: (notice) => process.stderr.write(`${notice}\n`),
  });
  process.stdout.write(`event store ${dataDir === undefined ? 'in memory' : `in ${dataDir}`} at ${server.url}\n`);
  const signal = await stop;
  process.stderr.write(`${signal}: stopping\n`);
  await server.close();
  return 0;
}

if (require.main === module) {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      const { message, code } = error as NodeJS.ErrnoException;
      process.stderr.write(`${code === 'EADDRINUSE' ? `the port is taken: ${message}` : message}\n`);
      process.exit(1);
    },
  );
}
