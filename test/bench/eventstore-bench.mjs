// Measures the embedded event store against itself and the machine, all in one run and interleaved, because only
// ratios within a run mean anything on a shared machine.
//   npm run build && node test/bench/eventstore-bench.mjs [--rounds 3] [--seconds 2] [--events 40000] [--callers 64]
// Rates are per second. Servers run in processes of their own; the client is the bare @eventstore/db-client.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    events: { type: 'string', default: '40000' },
    callers: { type: 'string', default: '64' },
    main: { type: 'string' },
  },
});
const [rounds, seconds, events, callers] = ['rounds', 'seconds', 'events', 'callers'].map((name) =>
  Number(values[name]),
);
const require = createRequire(import.meta.url);
const { EventStoreDBClient, START, jsonEvent, streamNameFilter } = require('@eventstore/db-client');
const here = dirname(fileURLToPath(import.meta.url));
const main = values.main ?? join(here, '../../dist/libs/embedded-eventstore/src/main.js');
const directory = mkdtempSync(join(tmpdir(), 'eventstore-bench-'));
const children = [];

/** Starts a node program; resolves with the first esdb:// address it prints. */
function start(args) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      const url = /esdb:\/\/\S+/.exec(output);
      if (url) resolve(url[0]);
    });
    child.on('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}: ${output}`)));
  });
}

const way = { batch: {}, unary: { credentials: { username: 'admin', password: 'changeit' } } };
const payload = { kind: 'LineItemAdded', item: randomUUID(), amount: '12345', currency: 'EUR', note: 'x'.repeat(120) };
const percentile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;

/** Single-event appends by `callers` at once, each to a stream of its own. */
async function appends(url, options) {
  const client = EventStoreDBClient.connectionString(url);
  const latencies = [];
  const end = performance.now() + seconds * 1000;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      const stream = `append-${randomUUID()}`;
      while (performance.now() < end) {
        const at = performance.now();
        await client.appendToStream(stream, [jsonEvent({ type: 'E', data: payload })], options);
        latencies.push(performance.now() - at);
      }
    }),
  );
  const rate = (latencies.length / (performance.now() - began)) * 1000;
  await client.dispose();
  latencies.sort((a, b) => a - b);
  return { rate, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

/** Syncs a second that the disk gives for commits of this size, appended to one file. */
function syncRate() {
  const fd = openSync(join(directory, 'sync'), 'w');
  const block = Buffer.alloc(64 * 1024, 1);
  const end = performance.now() + 500;
  let count = 0;
  for (; performance.now() < end; count++) {
    writeSync(fd, block, 0, block.length, count * block.length);
    fdatasyncSync(fd);
  }
  closeSync(fd);
  return { rate: count * 2 };
}

/** Reads `events` events of matching streams through a filtered subscription to $all, from the start. */
async function catchUp(url) {
  const client = EventStoreDBClient.connectionString(url);
  const subscription = client.subscribeToAll({
    fromPosition: START,
    filter: streamNameFilter({ prefixes: ['catchup-'] }),
  });
  let count = 0;
  let began = 0;
  for await (const resolved of subscription) {
    if (resolved.event === undefined) continue;
    if (count === 0) began = performance.now();
    if (++count === events) break;
  }
  const rate = (count / (performance.now() - began)) * 1000;
  await subscription.unsubscribe();
  await client.dispose();
  return { rate };
}

async function fill(url) {
  const client = EventStoreDBClient.connectionString(url);
  const batch = 200;
  for (let i = 0; i < events; i += batch) {
    const list = Array.from({ length: batch }, () => jsonEvent({ type: 'E', data: payload }));
    await client.appendToStream(`catchup-${i % 100}`, list);
  }
  await client.dispose();
}

try {
  const memory = await start([main, '--memory', '--port', '0']);
  const disk = await start([main, '--data', join(directory, 'data'), '--port', '0']);
  const read = await start([main, '--data', join(directory, 'read'), '--port', '0']);
  await fill(read);
  const bare = await start([join(here, 'bare-grpc-server.cjs'), read, String(events)]);
  const measures = {
    'disk: syncs of 64 KiB': () => syncRate(),
    'BatchAppend, memory': () => appends(memory, way.batch),
    'BatchAppend, disk': () => appends(disk, way.batch),
    'Append, memory': () => appends(memory, way.unary),
    'Append, disk': () => appends(disk, way.unary),
    'catch-up, bare gRPC server': () => catchUp(bare),
    'catch-up, filtered $all': () => catchUp(read),
  };
  const results = new Map(Object.keys(measures).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(measures)) results.get(name).push(await measure());
  }
  const median = (name, key) =>
    percentile(
      results
        .get(name)
        .map((r) => r[key])
        .sort((a, b) => a - b),
      0.5,
    );
  console.log(`${rounds} rounds of ${seconds} s, ${callers} callers, ${events} events to catch up; medians`);
  console.table(
    Object.fromEntries(
      Object.keys(measures).map((name) => [
        name,
        {
          'per second': Math.round(median(name, 'rate')),
          'p50 ms': median(name, 'p50')?.toFixed?.(1) ?? '',
          'p99 ms': median(name, 'p99')?.toFixed?.(1) ?? '',
          'each round': results
            .get(name)
            .map((r) => Math.round(r.rate))
            .join(' '),
        },
      ]),
    ),
  );
  const ratio = (a, b) => (median(a, 'rate') / median(b, 'rate')).toFixed(2);
  console.log(`BatchAppend disk / memory: ${ratio('BatchAppend, disk', 'BatchAppend, memory')} (wanted: 0.6)`);
  console.log(`Append disk / memory: ${ratio('Append, disk', 'Append, memory')} (wanted: 0.6)`);
  console.log(`catch-up / bare gRPC: ${ratio('catch-up, filtered $all', 'catch-up, bare gRPC server')} (wanted: 0.6)`);
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.map((child) => child.exitCode ?? new Promise((resolve) => child.once('exit', resolve))));
  rmSync(directory, { recursive: true, force: true });
}
