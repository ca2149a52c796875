import { Histogram } from 'prom-client';
import type { Logger } from './logging';

const duration = new Histogram({
  name: 'command_duration_seconds',
  help: 'Time from dispatching a command to its answer',
  labelNames: ['command', 'outcome'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

/** What a handler's answer may say of what it did. */
interface Done {
  readonly aggregateId?: string;
  readonly revision?: string;
  readonly events?: readonly unknown[];
  readonly repeated?: boolean;
  readonly dryRun?: boolean;
}

/** How a command that threw is reported. */
export interface CommandOutcome {
  /** Kebab-case code; a label of the metric, so one of a closed list. */
  readonly outcome: string;
  readonly level: 'info' | 'warn' | 'error';
}

export interface Observation {
  readonly logger: Logger;
  readonly outcomeOf: (error: unknown) => CommandOutcome;
  /** What else the log line says. */
  readonly about?: Readonly<Record<string, unknown>>;
}

/**
 * Runs a command and reports it once: one log line and its duration by outcome, which is `done`, `unchanged`, `repeated`,
 * `dry-run`, or what `outcomeOf` makes of the error that it threw.
 */
export async function observeCommand<Result>(
  command: object,
  execute: () => Promise<Result>,
  { logger, outcomeOf, about }: Observation,
): Promise<Result> {
  const name = command.constructor.name;
  const started = performance.now();
  const report = ({ outcome, level }: CommandOutcome, more: object) => {
    const seconds = (performance.now() - started) / 1_000;
    duration.observe({ command: name, outcome }, seconds);
    logger[level]({ command: name, outcome, ms: Math.round(seconds * 10_000) / 10, ...about, ...more }, 'command');
  };
  try {
    const result = await execute();
    const { aggregateId, revision, events, repeated, dryRun } = (result ?? {}) as Done;
    const outcome = dryRun ? 'dry-run' : repeated ? 'repeated' : events?.length === 0 ? 'unchanged' : 'done';
    report({ outcome, level: 'info' }, { aggregateId, revision, events: events?.length });
    return result;
  } catch (error) {
    const outcome = outcomeOf(error);
    report(outcome, outcome.level === 'error' ? { err: error } : { message: (error as Error).message });
    throw error;
  }
}
