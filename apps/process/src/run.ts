import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import {
  collectProcessMetrics,
  type Config,
  createLogger,
  InvalidConfiguration,
  loadConfig,
  type Logger,
  printableConfig,
} from '@perennial/platform';

/** A program that has started. */
export interface Running {
  /** Finishes what runs, writes checkpoints, closes connections. */
  stop(): Promise<void>;
}

export interface Program {
  /** What `--help` prints, after the usage line. */
  readonly about: string;
  /** Flags of its own besides --help, --print-config and --test-clock, with what they do. */
  readonly flags?: Readonly<Record<string, string>>;
  /** `given` holds the program's own flags that were given. */
  start(config: Config, logger: Logger, given: ReadonlySet<string>): Promise<Running>;
}

const commonFlags: Readonly<Record<string, string>> = {
  'test-clock': 'make the business clock settable over HTTP (PUT /v1/test-clock); refused in production',
  'print-config': 'print the configuration in force, without passwords, and end',
  help: 'print this and end',
};

/**
 * Runs a program as a process: flags, configuration, signals. SIGTERM or SIGINT stops it gracefully within
 * SHUTDOWN_TIMEOUT_MS and ends with 0; a second one ends it at once. What nobody caught is logged and ends it with 1.
 */
export async function run(program: Program): Promise<void> {
  const flags = { ...program.flags, ...commonFlags };
  const given = readFlags(flags);
  if (given.has('help')) {
    process.stdout.write(`${usage(program.about, flags)}\n`);
    return;
  }
  let config: Config;
  try {
    config = loadConfig(process.env, given.has('test-clock') ? { testClock: true } : {});
  } catch (error) {
    if (!(error instanceof InvalidConfiguration)) throw error;
    return fail(error.message, 2);
  }
  if (given.has('print-config')) {
    process.stdout.write(`${printableConfig(config)}\n`);
    return;
  }

  // Where there is much memory, V8 lets garbage grow to several times of what is in use before it looks: 520 MiB where 275 do.
  setFlagsFromString('--heap-growing-percent=50');
  const logger = createLogger(config.logLevel);
  collectProcessMetrics();
  const fatal = (err: unknown) => {
    logger.fatal({ err }, 'ended by an error that nothing handled');
    process.exit(1);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);

  let stopping = false;
  const asked = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (stopping) process.exit(1);
        stopping = true;
        resolve(signal);
      });
    }
  });
  const started = program.start(config, logger, given);
  let running: Running;
  try {
    running = await started;
  } catch (error) {
    if (error instanceof CannotStart) return fail(error.message, 1);
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      return fail(
        `port ${config.port} on ${config.host} is in use: stop what listens there, or set PORT to another one`,
        1,
      );
    }
    logger.fatal({ err: error }, 'cannot start');
    process.exit(1);
  }
  const signal = await asked;
  logger.info({ signal }, 'stopping');
  const tooLong = setTimeout(() => {
    logger.error({ after: config.shutdownTimeoutMs }, 'the graceful stop took too long');
    process.exit(1);
  }, config.shutdownTimeoutMs + config.shutdownDelayMs);
  await running.stop();
  clearTimeout(tooLong);
  logger.info('stopped');
  process.exit(0);
}

/** A reason not to start that the operator can do something about: printed without a stack. */
export class CannotStart extends Error {}

function readFlags(flags: Readonly<Record<string, string>>): ReadonlySet<string> {
  try {
    const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'boolean' as const }]));
    const { values } = parseArgs({ options, strict: true, allowPositionals: false });
    return new Set(Object.keys(values).filter((name) => values[name]));
  } catch (error) {
    return fail(
      `${(error as Error).message.split('\n')[0]}\nIt takes ${Object.keys(flags)
        .map((name) => `--${name}`)
        .join(', ')}.`,
      2,
    );
  }
}

function usage(about: string, flags: Readonly<Record<string, string>>): string {
  const rows = Object.entries(flags).map(([name, text]) => `  --${name.padEnd(14)} ${text}`);
  return `${about}\n\n${rows.join('\n')}\n\nConfiguration is by environment: docs/configuration.md, or --print-config.`;
}

function fail(message: string, code: number): never {
  process.stderr.write(`perennial: ${message}\n`);
  process.exit(code);
}
