import {
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  MaxLength,
  Min,
  validateSync,
} from 'class-validator';

/** Everything that the environment can set, with its default. Durations in ms, sizes in bytes. */
export class Config {
  @IsIn(['development', 'test', 'production'])
  readonly nodeEnv: string = 'development';

  @IsString()
  @MaxLength(255)
  readonly host: string = '127.0.0.1';

  @IsInt()
  @Min(0)
  @Max(65_535)
  readonly port: number = 3000;

  @IsOptional()
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false })
  readonly publicUrl: string | undefined = undefined;

  @IsString()
  @Matches(/\S/)
  readonly dataDir: string = '.data';

  @IsOptional()
  @Matches(/^(esdb|esdb\+discover|kurrentdb|kurrentdb\+discover):\/\/\S+$/, {
    message: 'must be a connection string such as esdb://host:2113?tls=true',
  })
  readonly eventstoreUrl: string | undefined = undefined;

  @IsOptional()
  @Matches(/^postgres(ql)?:\/\/\S+$/, { message: 'must be a connection string such as postgres://user@host/db' })
  readonly databaseUrl: string | undefined = undefined;

  @IsOptional()
  @Matches(/^[A-Za-z0-9+/]{43}=(\s*,\s*[A-Za-z0-9+/]{43}=)*$/, {
    message: 'must be 32 bytes in base64, or several such keys with commas between (openssl rand -base64 32)',
  })
  readonly personalDataMasterKey: string | undefined = undefined;

  @Matches(/^[A-Za-z][A-Za-z0-9-]{0,59}$/, { message: 'must be 1 to 60 letters, digits and hyphens, a letter first' })
  readonly streamPrefix: string = 'perennial';

  @Matches(/^[a-z][a-z0-9_]{0,39}$/, { message: 'must be 1 to 40 of a-z, 0-9 and _, a letter first' })
  readonly databaseSchema: string = 'perennial';

  @IsInt()
  @Min(1)
  @Max(200)
  readonly databasePoolMax: number = 10;

  @IsInt()
  @Min(100)
  @Max(120_000)
  readonly commandTimeoutMs: number = 10_000;

  @IsInt()
  @Min(50)
  @Max(60_000)
  readonly appendDeadlineMs: number = 2_000;

  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly snapshotEvery: number = 100;

  @IsInt()
  @Min(0)
  @Max(16 * 1024 ** 3)
  readonly cacheMaxBytes: number = 64 * 1024 * 1024;

  @IsInt()
  @Min(1_024)
  @Max(16 * 1024 * 1024)
  readonly bodyLimitBytes: number = 262_144;

  @IsInt()
  @Min(100)
  @Max(600_000)
  readonly requestTimeoutMs: number = 15_000;

  @IsInt()
  @Min(1)
  @Max(1_000_000)
  readonly maxConnections: number = 2_000;

  @IsInt()
  @Min(1)
  @Max(10_000_000)
  readonly rateLimitPerSecond: number = 500;

  @IsInt()
  @Min(1)
  @Max(10_000_000)
  readonly rateLimitBurst: number = 1_000;

  @IsInt()
  @Min(0)
  @Max(60_000)
  readonly visibilityWaitMs: number = 2_000;

  @IsInt()
  @Min(10)
  @Max(3_600_000)
  readonly schedulerIntervalMs: number = 1_000;

  @IsInt()
  @Min(1)
  @Max(10_000)
  readonly schedulerBatch: number = 200;

  @IsInt()
  @Min(1)
  @Max(1_000)
  readonly schedulerConcurrency: number = 8;

  @IsInt()
  @Min(100)
  @Max(600_000)
  readonly heartbeatIntervalMs: number = 30_000;

  @IsInt()
  @Min(100)
  @Max(600_000)
  readonly shutdownTimeoutMs: number = 15_000;

  @IsInt()
  @Min(0)
  @Max(600_000)
  readonly shutdownDelayMs: number = 0;

  @IsIn(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
  readonly logLevel: string = 'info';

  @IsBoolean({ message: 'must be true or false' })
  readonly testClock: boolean = false;
}

interface Setting {
  /** The environment variable. */
  readonly name: string;
  readonly about: string;
  readonly kind: 'text' | 'integer' | 'boolean' | 'connection string' | 'secret';
}

/** Each property of `Config` with its variable and what it is for; docs/configuration.md is checked against it. */
export const settings: { readonly [Property in keyof Config]: Setting } = {
  nodeEnv: {
    name: 'NODE_ENV',
    kind: 'text',
    about: '`development`, `test` or `production`; production refuses the test clock',
  },
  host: { name: 'HOST', kind: 'text', about: 'Address to listen on; `0.0.0.0` in the image' },
  port: {
    name: 'PORT',
    kind: 'integer',
    about: 'Port of the HTTP API (of a worker on its own: its health and metrics); 0 takes a free one',
  },
  publicUrl: {
    name: 'PUBLIC_URL',
    kind: 'text',
    about: 'Where callers reach the API; makes the `type` of problems absolute (unset: relative)',
  },
  dataDir: {
    name: 'DATA_DIR',
    kind: 'text',
    about: 'Data of the embedded servers, the first API key and a master key that was made',
  },
  eventstoreUrl: {
    name: 'EVENTSTORE_URL',
    kind: 'connection string',
    about: 'EventStoreDB or KurrentDB; unset: the embedded store (standalone only)',
  },
  databaseUrl: {
    name: 'DATABASE_URL',
    kind: 'connection string',
    about: 'PostgreSQL of the read models; unset: the embedded one (standalone only)',
  },
  personalDataMasterKey: {
    name: 'PERSONAL_DATA_MASTER_KEY',
    kind: 'secret',
    about:
      '32 bytes in base64; wraps the keys of personal data. Several with commas: the first wraps, the others still open. Unset: made in `DATA_DIR` (in production only without `EVENTSTORE_URL`)',
  },
  streamPrefix: { name: 'STREAM_PREFIX', kind: 'text', about: 'First word of every stream name' },
  databaseSchema: { name: 'DATABASE_SCHEMA', kind: 'text', about: 'Schema of the read models' },
  databasePoolMax: {
    name: 'DATABASE_POOL_MAX',
    kind: 'integer',
    about: 'Most connections to PostgreSQL in one process',
  },
  commandTimeoutMs: {
    name: 'COMMAND_TIMEOUT_MS',
    kind: 'integer',
    about: 'Time budget of a command: waiting, retries and settling unknown outcomes together',
  },
  appendDeadlineMs: {
    name: 'APPEND_DEADLINE_MS',
    kind: 'integer',
    about: 'After this an append’s outcome is unknown and is settled by reading',
  },
  snapshotEvery: { name: 'SNAPSHOT_EVERY', kind: 'integer', about: 'Events between two snapshots of an aggregate' },
  cacheMaxBytes: {
    name: 'CACHE_MAX_BYTES',
    kind: 'integer',
    about: 'Memory for states of aggregates kept between commands; 0 keeps none',
  },
  bodyLimitBytes: { name: 'BODY_LIMIT_BYTES', kind: 'integer', about: 'Largest request body; more is 413' },
  requestTimeoutMs: {
    name: 'REQUEST_TIMEOUT_MS',
    kind: 'integer',
    about: 'Time to receive a whole request, and to answer a read',
  },
  maxConnections: {
    name: 'MAX_CONNECTIONS',
    kind: 'integer',
    about: 'Most open client connections; more are closed at once',
  },
  rateLimitPerSecond: {
    name: 'RATE_LIMIT_PER_SECOND',
    kind: 'integer',
    about: 'Requests a second for each API key (each address, without a valid one); more is 429',
  },
  rateLimitBurst: {
    name: 'RATE_LIMIT_BURST',
    kind: 'integer',
    about: 'Requests that a key may send at once after a pause',
  },
  visibilityWaitMs: {
    name: 'VISIBILITY_WAIT_MS',
    kind: 'integer',
    about: 'How long a read with `minPosition` waits for its read model',
  },
  schedulerIntervalMs: {
    name: 'SCHEDULER_INTERVAL_MS',
    kind: 'integer',
    about: 'Pause between two looks for elapsed billing periods',
  },
  schedulerBatch: { name: 'SCHEDULER_BATCH', kind: 'integer', about: 'Elapsed billing periods taken at a time' },
  schedulerConcurrency: { name: 'SCHEDULER_CONCURRENCY', kind: 'integer', about: 'Roll-overs in flight at a time' },
  heartbeatIntervalMs: {
    name: 'HEARTBEAT_INTERVAL_MS',
    kind: 'integer',
    about: 'Pause between two heartbeat events by which a silent subscription is noticed',
  },
  shutdownTimeoutMs: { name: 'SHUTDOWN_TIMEOUT_MS', kind: 'integer', about: 'Most time that a graceful stop may take' },
  shutdownDelayMs: {
    name: 'SHUTDOWN_DELAY_MS',
    kind: 'integer',
    about: 'Time between turning not ready and refusing connections, for a load balancer to notice',
  },
  logLevel: {
    name: 'LOG_LEVEL',
    kind: 'text',
    about: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`',
  },
  testClock: {
    name: 'TEST_CLOCK',
    kind: 'boolean',
    about: 'The business clock can be set over HTTP; same as `--test-clock`',
  },
};

/** The environment cannot be used; `problems` holds one sentence for each wrong name. */
export class InvalidConfiguration extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'an error' : `${problems.length} errors`}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
    this.name = 'InvalidConfiguration';
  }
}

/** Reads and checks the whole environment; throws InvalidConfiguration with every error at once. Empty means unset. */
export function loadConfig(env: Readonly<Record<string, string | undefined>>, overrides: Partial<Config> = {}): Config {
  const config = new Config();
  const given: Record<string, unknown> = {};
  for (const [property, setting] of Object.entries(settings)) {
    const text = env[setting.name]?.trim();
    if (text !== undefined && text !== '') given[property] = read(text, setting.kind);
  }
  Object.assign(config, given, overrides);

  const problems = validateSync(config, { stopAtFirstError: true }).map(({ property, constraints }) => {
    const { name, kind } = settings[property as keyof Config];
    const rule = Object.values(constraints ?? {})[0] ?? 'is not valid';
    const shown =
      kind === 'connection string' || kind === 'secret' ? '' : ` (it is ${JSON.stringify(env[name] ?? '')})`;
    return `${name} ${rule.replace(new RegExp(`^${property} `), '')}${shown}`;
  });
  if (config.testClock && config.nodeEnv === 'production') {
    problems.push('TEST_CLOCK (--test-clock) is refused when NODE_ENV is production');
  }
  const shared = config.nodeEnv === 'production' && config.eventstoreUrl !== undefined;
  if (shared && config.personalDataMasterKey === undefined) {
    problems.push(
      'PERSONAL_DATA_MASTER_KEY must be set when NODE_ENV is production and EVENTSTORE_URL is set: the same one for every process, kept apart from backups of the store (openssl rand -base64 32)',
    );
  }
  if (problems.length > 0) throw new InvalidConfiguration(problems);
  return config;
}

/** The effective configuration as NAME=value lines, passwords and secrets replaced. */
export function printableConfig(config: Config): string {
  return Object.entries(settings)
    .map(([property, { name, kind }]) => {
      const value = config[property as keyof Config];
      if (kind === 'secret') return `${name}=${value === undefined ? '' : '***'}`;
      return `${name}=${value === undefined ? '' : maskPassword(String(value))}`;
    })
    .join('\n');
}

/** A connection string without its password: `postgres://user:***@host/db`. */
export function maskPassword(text: string): string {
  return text
    .replace(/^([a-z+]+:\/\/[^/@\s:]*):[^/\s]*@/i, '$1:***@')
    .replace(/([?&][^=&]*password=)[^&\s]*/gi, '$1***');
}

/** The table of docs/configuration.md. */
export function configurationTable(): string {
  const defaults = new Config();
  const rows = Object.entries(settings).map(([property, { name, kind, about }]) => {
    const value = defaults[property as keyof Config];
    return `| \`${name}\` | ${kind} | ${value === undefined ? 'unset' : `\`${String(value)}\``} | ${about} |`;
  });
  return ['| Name | Kind | Default | What it is |', '|---|---|---|---|', ...rows].join('\n');
}

/** A value that does not parse stays text, so that the class's own check reports it. */
function read(text: string, kind: Setting['kind']): unknown {
  if (kind === 'integer' && /^\d{1,15}$/.test(text)) return Number(text);
  if (kind === 'boolean' && /^(true|1)$/i.test(text)) return true;
  if (kind === 'boolean' && /^(false|0)$/i.test(text)) return false;
  return text;
}
