import { execFileSync } from 'node:child_process';
import { freezeAndCount, NO_MEMORY } from './state-memory';

const text = (n: number, length: number) => `${n}`.padEnd(length, String.fromCharCode(97 + (n % 26)));

/** A state as they are: texts, nested objects, lists of lines. */
const invoice = (n: number) => ({
  invoiceId: text(n, 36),
  currency: text(n, 3),
  net: BigInt(n),
  metadata: { ticket: text(n, 12) },
  lines: Array.from({ length: 12 }, (_, line) => ({
    lineId: text(n + line, 36),
    description: text(n * line, 30),
    service: { from: text(line, 10), to: text(line, 10) },
    net: text(line, 6),
    rule: { name: text(line, 8), fraction: { numerator: text(line, 2), denominator: text(line, 2) } },
  })),
});

describe('the memory of a state', () => {
  it('was taken for 512 bytes an event: it is about what the heap takes', () => {
    const count = 5_000;
    // In a process of its own, as this one lets go of what other suites have left.
    const script = `
      const text = ${text.toString()};
      const invoice = ${invoice.toString()};
      const states = [];
      gc();
      const before = process.memoryUsage().heapUsed;
      for (let n = 0; n < ${count}; n += 1) states.push(invoice(n));
      gc();
      console.log(process.memoryUsage().heapUsed - before, states.length);`;
    const [taken = 0] = execFileSync(process.execPath, ['--expose-gc', '-e', script], { encoding: 'utf8' })
      .split(' ')
      .map(Number);
    const counted = Array.from({ length: count }, (_, n) => freezeAndCount(invoice(n), NO_MEMORY).bytes).reduce(
      (sum, bytes) => sum + bytes,
    );
    expect(counted / taken).toBeGreaterThan(0.7);
    expect(counted / taken).toBeLessThan(1.5);
  });

  it('follows what comes and what goes', () => {
    let state: { readonly lines: readonly object[] } = { lines: [] };
    let memory = freezeAndCount(state, NO_MEMORY);
    const most = { bytes: 0 };
    for (let n = 0; n < 500; n += 1) {
      state = { lines: [...state.lines.slice(-20), { lineId: text(n, 36) }] };
      memory = freezeAndCount(state, memory);
      most.bytes = Math.max(most.bytes, memory.bytes);
    }
    const whole = freezeAndCount(structuredClone(state), NO_MEMORY).bytes;
    expect(most.bytes).toBeLessThanOrEqual(2 * whole);
    expect(memory.bytes).toBeGreaterThanOrEqual(whole);
    expect(Object.isFrozen(state.lines.at(-1))).toBe(true);
  });
});
