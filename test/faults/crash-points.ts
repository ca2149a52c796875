import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import { tcpProxy, type TcpProxy, type Verdict } from '../support/tcp-proxy';
import { Callers } from './callers';
import { CommandJournal } from './command-journal';
import { Deployment } from './deployment';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { auditDifferences, compareWithStore } from './oracles';
import { commandCounts } from './under-load';

/** A step at which the service is killed: when a piece that matches is on its way. */
interface CrashPoint {
  readonly name: string;
  readonly between: 'the service and the store' | 'the service and the database' | 'the caller and the service';
  readonly piece: RegExp;
  /** `before`: it does not arrive. `after`: it arrives, is carried out, and the answer does not come back. */
  readonly when: 'before' | 'after';
}

const store = 'the service and the store';
const database = 'the service and the database';

const inCommand: readonly CrashPoint[] = [
  { name: 'append not sent', between: store, piece: /LineItemAdded/, when: 'before' },
  { name: 'append written, not answered', between: store, piece: /LineItemAdded/, when: 'after' },
  { name: 'answer not received', between: 'the caller and the service', piece: /line-items/, when: 'after' },
  { name: 'roll-over not sent', between: store, piece: /LinesBilled/, when: 'before' },
  { name: 'roll-over written, not answered', between: store, piece: /LinesBilled/, when: 'after' },
];

export const inProjection: readonly CrashPoint[] = [
  { name: 'position and revisions not sent', between: database, piece: /projection_stream/, when: 'before' },
  { name: 'revisions noted, rows not', between: database, piece: /insert into "(?!projection_)/, when: 'before' },
  { name: 'rows written, not committed', between: database, piece: /commit/, when: 'before' },
  { name: 'committed, not answered', between: database, piece: /commit/, when: 'after' },
];

const inPolicy: readonly CrashPoint[] = [
  { name: 'draft not sent', between: store, piece: /InvoiceDrafted/, when: 'before' },
  { name: 'draft written, not answered', between: store, piece: /InvoiceDrafted/, when: 'after' },
  { name: 'number not sent', between: store, piece: /InvoiceNumberGranted/, when: 'before' },
  { name: 'number written, not answered', between: store, piece: /InvoiceNumberGranted/, when: 'after' },
  { name: 'finalising not sent', between: store, piece: /InvoiceFinalised/, when: 'before' },
  { name: 'finalising written, not answered', between: store, piece: /InvoiceFinalised/, when: 'after' },
  { name: 'position not sent', between: store, piece: /PositionReached/, when: 'before' },
  { name: 'position written, not answered', between: store, piece: /PositionReached/, when: 'after' },
];

/** A point that has not been reached by then is not on the way. */
const reachedWithinMs = 45_000;

/**
 * Kills the service at each of the points in turn, while a line item is added and a period rolls over, and starts it
 * again on what is left. A point that is not reached is a violation: the list would say what is not so.
 */
export async function crashAt(
  points: readonly CrashPoint[],
  { random, directory, say }: FaultRound,
): Promise<FaultOutcome> {
  const deployment = await Deployment.start({ directory, programs: 'standalone' });
  const callerNetwork = await tcpProxy({ host: '127.0.0.1', port: 9 });
  const networks: Record<CrashPoint['between'], TcpProxy> = {
    'the service and the store': deployment.store.network,
    'the service and the database': deployment.database.network,
    'the caller and the service': callerNetwork,
  };
  let client: HttpClient | undefined;
  const http = () => {
    callerNetwork.target = { host: '127.0.0.1', port: Number(new URL(deployment.apis[0]?.url ?? '').port) };
    return (client ??= new HttpClient(`http://127.0.0.1:${callerNetwork.port}`, deployment.token));
  };
  const callers = new Callers(random, http, new CommandJournal());
  const violations: string[] = [];
  const counts: Record<string, number> = {};
  try {
    await callers.advance(0);
    const { answer } = await callers.subscribe();
    if (!answer) throw new Error('no subscription');
    for (const point of points) {
      const [program] = deployment.apis;
      if (!program) throw new Error('no program');
      const reached = watchFor(networks[point.between], point);
      // A line item, then the end of its period: together they take every step that there is.
      const lost = (async () => {
        await callers.addLineItem(answer.id);
        await callers.advance(31).catch(() => undefined);
      })();
      if (await reached(reachedWithinMs)) counts[point.name] = 1;
      else violations.push(`never reached: ${point.name}`);
      await program.kill9();
      await lost;
      for (const network of Object.values(networks)) network.watch = undefined;
      await deployment.restart(program);
      await callers.settle();
      // Whatever the crash kept the clock from.
      await callers.advance(0);
      say(point.name);
    }
    await callers.askAgain();
    const { direct } = deployment;
    const { commands } = callers.journal;
    const stored = await compareWithStore({ eventstoreUrl: direct['EVENTSTORE_URL'] ?? '', commands });
    violations.push(...callers.journal.violations, ...stored.violations, ...(await auditDifferences(direct)));
    return { violations, counts: { ...counts, ...commandCounts(callers.journal), events: stored.events } };
  } finally {
    client?.close();
    await callerNetwork.close();
    await deployment.close();
  }
}

/** Lets nothing pass from the first piece that matches; resolves with whether it came, and for `after` was answered. */
function watchFor(network: TcpProxy, { piece, when }: CrashPoint): (withinMs: number) => Promise<boolean> {
  let came = false;
  network.watch = (passing): Verdict => {
    if (came || !piece.test(passing.toString('latin1'))) return 'pass';
    came = true;
    return when === 'before' ? 'hold' : 'unanswered';
  };
  const answeredBefore = network.answersLost;
  return async (withinMs) => {
    const until = performance.now() + withinMs;
    const there = () => came && (when === 'before' || network.answersLost > answeredBefore);
    while (!there() && performance.now() < until) await delay(1);
    // What came back may have been for another request on the same connection: what was asked is carried out meanwhile.
    if (when === 'after') await delay(50);
    return there();
  };
}

const fault = (name: string, about: string, points: readonly CrashPoint[]): Fault => ({
  name,
  about: `${about}: ${points.map((point) => point.name).join('; ')}`,
  round: (o) => crashAt(points, o),
});

export const crashPoints: readonly Fault[] = [
  fault('crash-in-command', 'kill -9 at each step of a command', inCommand),
  fault('crash-in-projection', 'kill -9 at each step of a batch of the read models', inProjection),
  fault('crash-in-policy', 'kill -9 at each step from a bill to its finalised invoice', inPolicy),
];
