/** One benchmark in a process of its own, which tells its parent the figures: started by bench.ts. */
import { benches } from './benches';
import type { Figure } from './figure';

/** What the parent hears at the end. */
export type Outcome = { readonly figures: readonly Figure[] } | { readonly failure: string };

const [name, scale, seed] = process.argv.slice(2);

async function measure(): Promise<Outcome> {
  const bench = benches.find((each) => each.name === name);
  if (!bench) return { failure: `there is no benchmark ${name}` };
  try {
    const say = (line: string) => process.stderr.write(`  ${line}\n`);
    return { figures: await bench.run({ scale: scale === 'full' ? 'full' : 'small', seed: Number(seed), say }) };
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

// Without a parent there is nobody to end what this has started: its whole group goes.
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
void measure().then((outcome) => process.send?.(outcome, () => process.exit(0)));
