import type { Random } from '../support/random';
import type { TcpProxy, Verdict } from '../support/tcp-proxy';
import type { Fault } from './fault';
import { outage } from './outage';

/** Resets connections now and then until it is ended. */
export function resettingNowAndThen(network: TcpProxy, random: Random): void {
  const reset = () => {
    network.cut();
    timers.set(network, setTimeout(reset, random.between(50, 400)));
  };
  reset();
}

export function noMoreResets(network: TcpProxy): void {
  clearTimeout(timers.get(network));
  timers.delete(network);
  network.watch = undefined;
}

const timers = new Map<TcpProxy, NodeJS.Timeout>();

/** Some pieces that match are passed on and their answers lost with the connection; some are lost themselves. */
export function lossOf(pattern: RegExp, random: Random): (piece: Buffer) => Verdict {
  return (piece) => {
    if (!pattern.test(piece.toString('latin1'))) return 'pass';
    const dice = random.next();
    return dice < 0.2 ? 'reset-after' : dice < 0.3 ? 'reset' : 'pass';
  };
}

/** What stands in the request of an append and in no other. */
const appended = /LineItemAdded|LinesBilled|Invoice[A-Z]|SubscriptionStarted/;

export const storeFaults: readonly Fault[] = [
  outage({
    name: 'store-stopped',
    about: 'the event store is stopped in good order and started again after some seconds',
    meanwhile: 'away',
    begin: async ({ store }) => void (await store.process.stop()),
    end: ({ store }) => store.restart(),
  }),
  outage({
    name: 'store-frozen',
    about: 'the event store stands still (SIGSTOP): its connections stay open, and nothing is answered',
    meanwhile: 'away',
    begin: ({ store }) => store.process.freeze(),
    end: ({ store }) => store.process.thaw(),
  }),
  outage({
    name: 'store-resetting',
    about: 'connections to the event store are reset all the time, many just after an append was written',
    meanwhile: 'bad',
    begin: ({ store: { network } }, random) => {
      network.watch = lossOf(appended, random);
      resettingNowAndThen(network, random);
    },
    end: ({ store: { network } }) => noMoreResets(network),
  }),
  outage({
    name: 'store-slow',
    about: 'everything to and from the event store is late by up to 300 ms: many appends have an unknown outcome',
    meanwhile: 'bad',
    begin: ({ store: { network } }, random) => void (network.delayMs = random.between(50, 300)),
    end: ({ store: { network } }) => void (network.delayMs = 0),
  }),
  outage({
    name: 'store-silent-connections',
    about: 'open connections to the event store fall silent, as behind a firewall that forgot them; new ones work',
    meanwhile: 'bad',
    begin: ({ store: { network } }) => network.freezeOpen(),
    end: () => undefined,
    lastsMs: () => 0,
    // Only silence shows it: a heartbeat that has not come back for 10 s.
    recoversWithinMs: 20_000,
  }),
];
