import { InvalidConfiguration } from '@perennial/platform';
import { CannotStart } from '../../process/src/run';

/** Runs an operator's command: its number is the exit code; what it throws is printed, and ends it with 2. */
export function commandLine(main: () => Promise<number>): void {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      const plain = error instanceof CannotStart || error instanceof InvalidConfiguration || isUsage(error);
      const text = plain || !(error instanceof Error) ? messageOf(error) : (error.stack ?? error.message);
      process.stderr.write(`perennial: ${text}\n`);
      process.exit(2);
    },
  );
}

function isUsage(error: unknown): boolean {
  return String((error as { code?: unknown } | null)?.code).startsWith('ERR_PARSE_ARGS');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
