import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AggregateType, DomainEvent } from './event';
import { goldenProblems } from './golden';

interface Counted extends DomainEvent {
  readonly type: 'Counted';
  readonly data: { readonly by: number };
}

const counter: AggregateType<number, Counted> = {
  name: 'counter',
  catalog: { Counted: [(data) => ({ by: (data as { n: number }).n })] },
  initial: 0,
  evolve: (state, { data }) => state + data.by,
  snapshot: { version: 1, toJSON: (state) => state, fromJSON: (json) => json as number },
};

describe('golden files', () => {
  let dir: string;
  const write = (file: string, json: unknown): void => writeFileSync(join(dir, file), JSON.stringify(json));

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'golden-'));
    write('Counted.v1.json', { n: 2 });
    write('Counted.v2.json', { by: 2 });
    write('state.v1.json', { events: [{ type: 'Counted', data: { by: 2 } }], state: 2 });
    process.env['UPDATE_GOLDEN'] = '1';
    goldenProblems(counter, dir);
    delete process.env['UPDATE_GOLDEN'];
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('are complete and unchanged', () => expect(goldenProblems(counter, dir)).toEqual([]));

  it('fail when one changes, also when asked to update', () => {
    write('Counted.v1.json', { n: 3 });
    process.env['UPDATE_GOLDEN'] = '1';
    const problems = goldenProblems(counter, dir);
    delete process.env['UPDATE_GOLDEN'];
    expect(problems).toEqual([expect.stringContaining('Counted.v1.json was changed')]);
  });

  it('fail when one is deleted, missing for a new version, or not yet committed to', () => {
    rmSync(join(dir, 'Counted.v1.json'));
    expect(goldenProblems(counter, dir)).toEqual(
      expect.arrayContaining([expect.stringContaining('was deleted'), 'Counted.v1.json is missing']),
    );
    const lifted = { ...counter, catalog: { Counted: [...counter.catalog.Counted, (data: unknown) => data] } };
    expect(goldenProblems(lifted, dir)).toContain('Counted.v3.json is missing');
    write('Counted.v3.json', { by: 2 });
    expect(goldenProblems(lifted, dir)).toContainEqual(
      expect.stringContaining('Counted.v3.json is not in manifest.json'),
    );
  });

  it('fail when the fold changes without a new state version', () => {
    const twice = { ...counter, evolve: (state: number, { data }: Counted) => state + 2 * data.by };
    expect(goldenProblems(twice, dir)).toEqual([expect.stringContaining('raise snapshot.version')]);
    expect(goldenProblems({ ...twice, snapshot: { ...counter.snapshot, version: 2 } }, dir)).toEqual([
      'state.v2.json is missing',
    ]);
  });
});
