import type { Fault } from './fault';
import { outage } from './outage';
import { lossOf, noMoreResets, resettingNowAndThen } from './store-faults';

/** What PostgreSQL tells a client for which it has no connection left (53300). */
const tooManyClients = (() => {
  const fields = ['SFATAL', 'VFATAL', 'C53300', 'Msorry, too many clients already', ''].join('\0');
  const body = Buffer.from(`${fields}\0`, 'latin1');
  const head = Buffer.alloc(5);
  head.write('E', 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
})();

export const databaseFaults: readonly Fault[] = [
  outage({
    name: 'database-stopped',
    about: 'the database is stopped in good order and started again after some seconds',
    meanwhile: 'away',
    begin: async ({ database }) => void (await database.process.stop()),
    end: ({ database }) => database.restart(),
  }),
  outage({
    name: 'database-killed',
    about: 'kill -9 of the database in the midst of its transactions; it is started again on what is left',
    meanwhile: 'away',
    begin: ({ database }) => database.process.kill9(),
    end: ({ database }) => database.restart(),
  }),
  outage({
    name: 'database-frozen',
    about: 'the database stands still (SIGSTOP): its connections stay open, and nothing is answered',
    meanwhile: 'away',
    begin: ({ database }) => database.process.freeze(),
    end: ({ database }) => database.process.thaw(),
  }),
  outage({
    name: 'database-resetting',
    about: 'connections to the database are reset all the time, many just after a COMMIT was carried out',
    meanwhile: 'bad',
    begin: ({ database: { network } }, random) => {
      network.watch = lossOf(/commit/i, random);
      resettingNowAndThen(network, random);
    },
    end: ({ database: { network } }) => noMoreResets(network),
  }),
  outage({
    name: 'database-slow',
    about: 'everything to and from the database is late by up to 100 ms',
    meanwhile: 'bad',
    begin: ({ database: { network } }, random) => void (network.delayMs = random.between(20, 100)),
    end: ({ database: { network } }) => void (network.delayMs = 0),
  }),
  outage({
    name: 'database-out-of-connections',
    about: 'every connection to the database is lost, and new ones are refused: too many clients',
    meanwhile: 'away',
    begin: ({ database: { network } }) => {
      network.dismissWith = tooManyClients;
      network.cut();
    },
    end: ({ database: { network } }) => void (network.dismissWith = undefined),
  }),
];
