/** Runs an operator's command: its number is the exit code; what it throws is printed (its stack with LOG_LEVEL=debug), and ends it with 2. */
export function commandLine(main: () => Promise<number>): void {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      const detail = process.env['LOG_LEVEL'] === 'debug' && error instanceof Error ? error.stack : undefined;
      process.stderr.write(`perennial: ${detail ?? (error instanceof Error ? error.message : String(error))}\n`);
      process.exit(2);
    },
  );
}
