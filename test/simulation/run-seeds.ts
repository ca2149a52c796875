/** Runs the seeds that its parent sends, one after another: what `simulate.ts --jobs` starts. Arguments: subscriptions, years. */
import { SimulatedDatabase } from './simulated-database';
import { simulate, type SimulationReport } from './simulation';

/** A report as it is sent from process to process. */
export type SentReport = Omit<SimulationReport, 'faults'> & { readonly faults: readonly (readonly [string, number])[] };

async function main(): Promise<void> {
  const [subscriptions, years] = process.argv.slice(2).map(Number);
  const database = await SimulatedDatabase.open();
  process.on('message', (seed: number) => {
    void simulate({ seed, database, subscriptions: subscriptions!, years: years! }).then(({ faults, ...report }) =>
      process.send?.({ ...report, faults: [...faults] } satisfies SentReport),
    );
  });
  process.send?.('ready');
}

void main();
