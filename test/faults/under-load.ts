import type { Random } from '../support/random';
import { Callers } from './callers';
import { CommandJournal } from './command-journal';
import { answerWithinMs, Deployment, type DeploymentOptions } from './deployment';
import type { FaultOutcome, FaultRound } from './fault';
import { auditDifferences, compareWithStore } from './oracles';

/** What a round says of its commands. */
export function commandCounts(journal: CommandJournal): Record<string, number> {
  return {
    commands: journal.commands.length,
    acknowledged: journal.get('acknowledged').length,
    refused: journal.get('refused').length,
  };
}

export interface UnderLoad {
  readonly deployment: Deployment;
  readonly callers: Callers;
  readonly random: Random;
  readonly say: (line: string) => void;
  readonly violations: string[];
}

/**
 * Brings a deployment up, keeps commands in flight while `happens` does its harm and mends it, settles what is unknown
 * and asks every oracle. Each command has to be answered in time whatever happens.
 */
export async function underLoad(
  { random, directory, say }: FaultRound,
  programs: DeploymentOptions['programs'],
  happens: (o: UnderLoad) => Promise<Record<string, number>>,
  { env = {}, load = 16 }: { readonly env?: Record<string, string>; readonly load?: number } = {},
): Promise<FaultOutcome> {
  const deployment = await Deployment.start({ directory, programs, env });
  const callers = new Callers(random, deployment.client, new CommandJournal(answerWithinMs));
  const { journal } = callers;
  const violations: string[] = [];
  try {
    await callers.advance(0);
    await callers.subscribe();
    callers.start(load, { readBack: true });
    const counts = await happens({ deployment, callers, random, say, violations });
    await callers.stop();
    const unknown = journal.get('unknown').length;
    await callers.settle();
    await callers.askAgain();
    const { direct } = deployment;
    const stored = await compareWithStore({
      eventstoreUrl: direct['EVENTSTORE_URL'] ?? '',
      commands: journal.commands,
    });
    violations.push(...stored.violations, ...(await auditDifferences(direct)));
    for (const program of deployment.programs)
      if (!program.running) violations.push(`the ${program.options.program} ended by itself:\n${program.log}`);
    return {
      violations: [...journal.violations, ...violations],
      counts: {
        ...counts,
        ...commandCounts(journal),
        unknown,
        events: stored.events,
        slowestMs: Math.round(journal.slowestMs),
      },
    };
  } finally {
    callers.hush();
    await deployment.close();
  }
}
