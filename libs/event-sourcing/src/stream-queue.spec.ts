import { BudgetExhausted, QueueFull } from './errors';
import { StreamQueue } from './stream-queue';

const soon = (): number => performance.now() + 60_000;

describe('StreamQueue', () => {
  it('runs tasks of one stream in order and one at a time, also after a failure', async () => {
    const queue = new StreamQueue(10);
    const log: string[] = [];
    const task = (name: string) => async () => {
      log.push(`${name} begins`);
      await new Promise(setImmediate);
      log.push(`${name} ends`);
      if (name === 'a') throw new Error('a fails');
      return name;
    };
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => queue.run('s', soon(), task(name))));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it('keeps the order when one gives up waiting, and refuses more than its limit', async () => {
    const queue = new StreamQueue(3);
    const log: string[] = [];
    let release = (): void => undefined;
    const first = queue.run('s', soon(), () =>
      new Promise<void>((resolve) => (release = resolve)).then(() => void log.push('first')),
    );
    const impatient = queue.run('s', performance.now() + 5, async () => log.push('never'));
    const third = queue.run('s', soon(), async () => log.push('third'));
    await expect(queue.run('s', soon(), async () => log.push('never'))).rejects.toThrow(QueueFull);
    await expect(queue.run('other', soon(), async () => 'free')).resolves.toBe('free');
    await expect(impatient).rejects.toThrow(BudgetExhausted);
    expect(log).toEqual([]);
    release();
    await Promise.all([first, third]);
    expect(log).toEqual(['first', 'third']);
  });

  it.each([
    ['once let one process have a contended stream for seconds: it stands back after its turn', true],
    ['does not stand back where nobody else writes', false],
  ])('%s', async (_, contended) => {
    const queue = new StreamQueue(12);
    const turns: { readonly from: number; readonly to: number }[] = [];
    const task = async () => {
      const from = performance.now();
      if (turns.length === 0 && contended) queue.lost('s');
      while (performance.now() < from + 30) await new Promise(setImmediate);
      turns.push({ from, to: performance.now() });
    };
    await Promise.all(Array.from({ length: 12 }, () => queue.run('s', soon(), task)));
    const pauses = turns
      .slice(1)
      .map(({ from }, n) => ({ after: turns[n]!.to - turns[0]!.from, ms: from - turns[n]!.to }));
    const stoodBack = pauses.filter(({ ms }) => ms >= 20);
    // One gap may be the machine’s own.
    expect(stoodBack.length > 1).toBe(contended);
    if (contended) expect(stoodBack[0]?.after).toBeGreaterThanOrEqual(100);
  });
});
