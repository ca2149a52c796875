import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEventStore } from '..';

/** One line of answers.jsonl, and of what questions.mjs prints. */
interface Answer {
  area: string;
  name: string;
  answer: unknown;
}

const parse = (lines: string): Map<string, unknown> =>
  new Map(
    lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer)
      .map(({ area, name, answer }) => [`${area}: ${name}`, answer]),
  );

const expected = parse(readFileSync(join(__dirname, 'answers.jsonl'), 'utf8'));

/** Asks in a process of its own, as an application would. */
function ask(url: string): Promise<Map<string, unknown>> {
  const child = spawn(process.execPath, [join(__dirname, 'questions.mjs'), url, '0.6']);
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => {
      if (code === 0) resolve(parse(output));
      else reject(new Error(`questions.mjs ended with ${code}: ${errors}`));
    });
  });
}

// Both at once, because most of the time is spent waiting.
describe('answers what a real EventStoreDB 23.10.8 answered', () => {
  let directory: string;
  let asked: Record<'memory' | 'disk', Promise<Map<string, unknown>>>;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'eventstore-semantics-'));
    const run = async (dataDir?: string): Promise<Map<string, unknown>> => {
      const server = await startEventStore(dataDir === undefined ? {} : { dataDir });
      try {
        return await ask(server.url);
      } finally {
        await server.close();
      }
    };
    asked = { memory: run(), disk: run(join(directory, 'data')) };
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each(['memory', 'disk'] as const)('in %s, question by question', async (mode) => {
    const answers = await asked[mode];
    expect([...answers.keys()]).toEqual([...expected.keys()]);
    for (const [question, answer] of expected)
      expect({ question, answer: answers.get(question) }).toEqual({ question, answer });
  });
});
