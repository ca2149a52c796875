import pino, { type DestinationStream, type Logger } from 'pino';

export type { Logger };

/** Names whose values never reach a log, wherever they stand within three levels. */
const secrets = ['authorization', 'cookie', 'token', 'secret', 'secretHash', 'apiKey', 'password'];

/** A logger of JSON lines on stdout (or `destination`) that never shows API keys, passwords or authorization headers. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
      hooks: { streamWrite: withoutSecrets },
    },
    destination ?? pino.destination({ dest: 1, sync: false }),
  );
}

/** Names are not enough: a driver's error message may quote a connection string, a stack an API key. */
function withoutSecrets(line: string): string {
  return line
    .replace(/pk_[A-Za-z0-9-]{1,64}_[A-Za-z0-9_-]{8,}/g, 'pk_[redacted]')
    .replace(/([a-z+]{2,20}:\/\/[^/@\s:"]{0,255}):[^/\s"]{1,255}@/gi, '$1:***@');
}
