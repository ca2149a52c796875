import { Histogram } from 'prom-client';
import type { Logger } from './logging';

const duration = new Histogram({
  name: 'command_duration_seconds',
  help: 'Time from dispatching a command to its answer',
  labelNames: ['command', 'outcome'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

/** What a handler's answer may say of what it did. */
interface Outcome {
  readonly aggregateId?: string;
  readonly revision?: bigint;
  readonly events?: readonly unknown[];
  readonly repeated?: boolean;
  readonly dryRun?: boolean;
}

/**
 * Runs a command and reports it once: one log line and its duration by outcome, which is `done`, `unchanged`, `repeated`,
 * `dry-run`, or the code of the error that it threw.
 */
export async function observeCommand<Result>(
  command: object,
  execute: () => Promise<Result>,
  logger: Logger,
  about: Readonly<Record<string, unknown>> = {},
): Promise<Result> {
  const name = command.constructor.name;
  const started = performance.now();
  const report = (outcome: string, more: object, failed: boolean) => {
    const seconds = (performance.now() - started) / 1_000;
    duration.observe({ command: name, outcome }, seconds);
    const line = { command: name, outcome, ms: Math.round(seconds * 10_000) / 10, ...about, ...more };
    if (failed) logger.error(line, 'command');
    else logger.info(line, 'command');
  };
  try {
    const result = await execute();
    const { aggregateId, revision, events, repeated, dryRun } = (result ?? {}) as Outcome;
    const outcome = dryRun ? 'dry-run' : repeated ? 'repeated' : events?.length === 0 ? 'unchanged' : 'done';
    report(outcome, { aggregateId, revision: revision?.toString(), events: events?.length }, false);
    return result;
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const known = typeof code === 'string' && /^[a-z][a-z-]*$/.test(code);
    const outcome = known ? code : error instanceof Error ? error.name : 'unknown';
    report(outcome, known ? { message: (error as Error).message } : { err: error }, !known);
    throw error;
  }
}
