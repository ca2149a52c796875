import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly only: readonly string[];
  readonly scale: 'small' | 'full';
  readonly seed: number;
  readonly json?: string;
}

/** What a command line asks for, 'help', or what is wrong with it. `names` are the benchmarks that there are. */
export function benchOptions(
  args: readonly string[],
  names: readonly string[],
): BenchOptions | 'help' | { readonly problem: string } {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'string' },
        only: { type: 'string', multiple: true, default: [] },
        scale: { type: 'string', default: 'small' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    return { problem: (error as Error).message.split('\n')[0] ?? 'bad options' };
  }
  if (values.help) return 'help';
  const { json, scale } = values;
  const only = values.only.flatMap((list) => list.split(','));
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) return { problem: `there is no benchmark "${unknown}"; there are ${names.join(', ')}` };
  if (scale !== 'small' && scale !== 'full') return { problem: `--scale ${scale}: it is small or full` };
  const seed = /^\d{1,10}$/.test(values.seed) ? Number(values.seed) : Number.NaN;
  if (!(seed < 2 ** 32)) return { problem: `--seed ${values.seed}: it is a whole number below 4294967296` };
  if (json === '') return { problem: '--json needs a file' };
  return { only, scale, seed, ...(json !== undefined && { json }) };
}
