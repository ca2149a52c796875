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
});
