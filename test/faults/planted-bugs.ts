import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../support/random';
import { crashAt, inProjection } from './crash-points';
import type { FaultOutcome, FaultRound } from './fault';
import { killStandalone } from './kills';
import { lossOf } from './store-faults';
import { underLoad } from './under-load';

const root = join(__dirname, '../..');

/** A mistake made in a copy of dist/, and the fault that has to find it: a test of the faults themselves. */
export interface PlantedBug {
  readonly name: string;
  readonly about: string;
  /** What stands exactly once in a file of dist/, and what takes its place. */
  readonly edits: readonly { readonly file: string; readonly piece: string; readonly instead: string }[];
  readonly round: (o: FaultRound) => Promise<FaultOutcome>;
  /** One of the violations has to say so: a build that just does not work would prove nothing. */
  readonly found: RegExp;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'acknowledge-before-commit',
    about: 'the event store acknowledges an append, and commits it up to a second later',
    edits: [
      {
        file: 'libs/embedded-eventstore/src/log.js',
        piece: `            const now = Date.now();
            this.storage.begin();`,
        instead: `            const now = Date.now();
            if (this.late === undefined) this.storage.begin();`,
      },
      {
        file: 'libs/embedded-eventstore/src/log.js',
        piece: `                this.storage.commit();
            else
                this.storage.rollback();
            return results;`,
        instead: `                this.late ??= setTimeout(() => { this.late = undefined; this.storage.commit(); }, 1_000);
            else if (this.late === undefined)
                this.storage.rollback();
            return results;`,
      },
    ],
    round: (o) => killStandalone(o, { kills: 1, loses: false }),
    found: /acknowledged, and not in the store|two answers|acknowledged at/,
  },
  {
    name: 'checkpoint-before-rows',
    about: 'the position of the read models is written, and then, apart from it, the rows',
    edits: [
      {
        file: 'libs/event-sourcing/src/projection-feed.js',
        piece: 'await (0, platform_1.pipelinedTransaction)(db, (tx) => this.#write(tx, events, caughtUp, singly));',
        instead: 'await this.#write(db, events, caughtUp, singly);',
      },
    ],
    round: (o) =>
      crashAt(
        inProjection.filter(({ name }) => name === 'revisions noted, rows not'),
        o,
      ),
    found: /audit verify ended with 1/,
  },
  {
    name: 'retry-with-a-new-id',
    about: 'an append without an answer is sent again as another one',
    edits: [
      {
        file: 'libs/event-sourcing/src/commit.js',
        piece: 'return await store.append(stream, prepared.messages, prepared.expected, deadlineWithin(deadline));',
        instead: `return await store.append(
                stream,
                prepared.messages.map((message) => (unknown ? { ...message, id: crypto.randomUUID() } : message)),
                unknown ? 'any' : prepared.expected,
                deadlineWithin(deadline));`,
      },
      {
        file: 'libs/event-sourcing/src/commit.js',
        piece: `        if (unknown) {
            const settled`,
        instead: `        if (false) {
            const settled`,
      },
    ],
    round: (o) =>
      underLoad(o, 'standalone', async ({ deployment: { store }, random }) => {
        store.network.watch = lossOf(/LineItemAdded/, random);
        await delay(4_000);
        store.network.watch = undefined;
        return {};
      }),
    found: /recorded by two appends/,
  },
];

/** A copy of dist/ with the bug in it, in a directory that the caller removes. Throws when a piece is not there once. */
export function plant({ edits }: PlantedBug, into: string): string {
  const dist = join(into, 'dist');
  mkdirSync(into, { recursive: true });
  cpSync(join(root, 'dist'), dist, { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(into, 'node_modules'));
  for (const { file, piece, instead } of edits) {
    const path = join(dist, file);
    const text = readFileSync(path, 'utf8');
    const count = text.split(piece).length - 1;
    if (count !== 1) throw new Error(`${file} has ${count} times what the bug replaces:\n${piece}`);
    writeFileSync(
      path,
      text.replace(piece, () => instead),
    );
  }
  return dist;
}

/** Runs the bug's round on a build that has it, with other seeds until it is found; undefined when `rounds` did not. */
export async function huntFor(
  bug: PlantedBug,
  { seed, rounds, say }: { readonly seed: number; readonly rounds: number; readonly say: (line: string) => void },
): Promise<string | undefined> {
  const home = mkdtempSync(join(tmpdir(), 'perennial-planted-'));
  const before = process.env['DIST_DIR'];
  try {
    process.env['DIST_DIR'] = plant(bug, join(home, 'build'));
    for (let n = 0; n < rounds; n += 1) {
      const directory = join(home, `round-${n}`);
      mkdirSync(directory);
      const round = { seed: seed + n, random: new Random(seed + n), directory, say };
      const { violations } = await bug
        .round(round)
        .catch((error: unknown): FaultOutcome => ({ violations: [String(error)], counts: {} }));
      const found = violations.find((text) => bug.found.test(text));
      if (found !== undefined) return found;
      for (const text of violations) say(`another violation: ${text.slice(0, 500)}`);
    }
    return undefined;
  } finally {
    if (before === undefined) delete process.env['DIST_DIR'];
    else process.env['DIST_DIR'] = before;
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}
