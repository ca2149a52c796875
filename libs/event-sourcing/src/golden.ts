import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { AggregateType, DomainEvent, JsonValue, Upcast } from './event';
import { throughJson } from './event-codec';

const MANIFEST = 'manifest.json';

/**
 * Checks an aggregate's golden files in `dir`, for its spec. `<Type>.v<n>.json` holds the data of an event as version n
 * wrote it: each version of each type must have one, and be lifted to today's shape by the upcasts. `state.v<n>.json`
 * holds { events, state }: folding those events (in today's shape) must give that state for today's state version, so
 * that a changed fold without a new version is seen. `manifest.json` holds the sha256 of each file: history must not
 * change, so a file whose hash differs is a problem. With UPDATE_GOLDEN set, files that the manifest does not know yet
 * are added to it; known ones are never replaced. Gives the problems; none means well.
 */
export function goldenProblems<State, Event extends DomainEvent>(
  type: AggregateType<State, Event>,
  dir: string,
): string[] {
  mkdirSync(dir, { recursive: true });
  return [...manifestProblems(dir), ...historyProblems(type.catalog, dir), ...stateProblems(type, dir)];
}

function manifestProblems(dir: string): string[] {
  const path = join(dir, MANIFEST);
  const known = existsSync(path) ? (readJson(path) as Record<string, string>) : {};
  const found: Record<string, string> = {};
  for (const file of goldenFiles(dir))
    found[file] = createHash('sha256')
      .update(readFileSync(join(dir, file)))
      .digest('hex');
  if (process.env['UPDATE_GOLDEN']) {
    for (const [file, hash] of Object.entries(found)) known[file] ??= hash;
    writeFileSync(path, `${JSON.stringify(known, Object.keys(known).sort(), 2)}\n`);
  }
  return [
    ...Object.keys(known).flatMap((file) => {
      if (!(file in found)) return [`${file} was deleted: history does not change`];
      return known[file] === found[file] ? [] : [`${file} was changed: history does not change, add a version`];
    }),
    ...Object.keys(found).flatMap((file) =>
      file in known ? [] : [`${file} is not in ${MANIFEST}: run with UPDATE_GOLDEN=1`],
    ),
  ];
}

function historyProblems(catalog: Readonly<Record<string, readonly Upcast[]>>, dir: string): string[] {
  const problems: string[] = [];
  const expected = new Set<string>();
  for (const [type, upcasts] of Object.entries(catalog)) {
    for (let version = 1; version <= upcasts.length + 1; version++) {
      const file = `${type}.v${version}.json`;
      expected.add(file);
      let data = readIfThere(join(dir, file));
      if (data === undefined) {
        problems.push(`${file} is missing`);
        continue;
      }
      try {
        for (const upcast of upcasts.slice(version - 1)) data = upcast(data) as JsonValue;
        throughJson(data);
      } catch (error) {
        problems.push(`${file} cannot be lifted: ${(error as Error).message}`);
      }
    }
  }
  for (const file of goldenFiles(dir)) {
    if (!file.startsWith('state.') && !expected.has(file)) problems.push(`${file} is of no known type and version`);
  }
  return problems;
}

function stateProblems<State, Event extends DomainEvent>(type: AggregateType<State, Event>, dir: string): string[] {
  const file = `state.v${type.snapshot.version}.json`;
  const golden = readIfThere(join(dir, file)) as { events: Event[]; state: JsonValue } | undefined;
  if (!golden) return [`${file} is missing`];
  let state = type.initial;
  const missing = new Set(Object.keys(type.catalog));
  for (const event of golden.events) {
    missing.delete(event.type);
    state = type.evolve(state, event);
  }
  const json = throughJson(type.snapshot.toJSON(state));
  const again = throughJson(type.snapshot.toJSON(type.snapshot.fromJSON(json)));
  return [
    ...(isDeepStrictEqual(json, golden.state)
      ? []
      : [`${file}: the fold gives another state, raise snapshot.version: ${JSON.stringify(json)}`]),
    ...(isDeepStrictEqual(json, again) ? [] : [`${file}: the state does not come back from its JSON`]),
    ...[...missing].map((event) => `${file} folds no ${event}`),
  ];
}

function goldenFiles(dir: string): string[] {
  return readdirSync(dir).filter((file) => file.endsWith('.json') && file !== MANIFEST);
}

function readIfThere(path: string): JsonValue | undefined {
  return existsSync(path) ? readJson(path) : undefined;
}

function readJson(path: string): JsonValue {
  return JSON.parse(readFileSync(path, 'utf8')) as JsonValue;
}
