// Questions about the behaviour of an EventStoreDB, asked through @eventstore/db-client, with ids, names and positions
// made comparable. answers.jsonl holds what a real EventStoreDB 23.10.8 answered to each.
//   node questions.mjs URL [PACE]     prints one JSON line an answer; PACE 1 waits as long as a slow server needs
import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { clearTimeout } from 'node:timers';

const require = createRequire(import.meta.url);
const {
  EventStoreDBClient,
  jsonEvent,
  binaryEvent,
  ANY,
  NO_STREAM,
  STREAM_EXISTS,
  START,
  END,
  FORWARDS,
  BACKWARDS,
  streamNameFilter,
  excludeSystemEvents,
} = require('@eventstore/db-client');

const url = process.argv[2] ?? 'esdb://127.0.0.1:2113?tls=false';
const pace = Number(process.argv[3] ?? '1');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const client = EventStoreDBClient.connectionString(url);
const run = randomUUID().slice(0, 8);
const ids = new Map();
const id = (k) => {
  if (!ids.has(k)) ids.set(k, randomUUID());
  return ids.get(k);
};
const scrub = (v) => {
  if (typeof v === 'bigint') return String(v) + 'n';
  if (typeof v === 'string') {
    let s = v.replaceAll(run, 'RUN');
    for (const [k, u] of ids) s = s.replaceAll(u, `<${k}>`);
    return s.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>');
  }
  if (Array.isArray(v)) return v.map(scrub);
  if (v instanceof Uint8Array) return 'bytes:' + Buffer.from(v).toString('hex').slice(0, 40);
  if (v instanceof Date) return '<date>';
  if (v && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, scrub(x)]));
  return v;
};
const fail = (e) => {
  const o = { error: e.constructor?.name, type: e.type };
  for (const k of ['streamName', 'expectedVersion', 'actualVersion', 'maxAppendSize', 'code'])
    if (e[k] !== undefined) o[k] = e[k];
  return scrub(o);
};
const timeout = (p, ms = 5000) => {
  let h;
  return Promise.race([
    p,
    new Promise((_, r) => {
      h = setTimeout(() => r(Object.assign(new Error('no answer'), { type: 'no-answer' })), ms);
    }),
  ]).finally(() => clearTimeout(h));
};
const q = async (area, name, f) => {
  let answer;
  try {
    answer = scrub(await timeout(Promise.resolve().then(f), 15000));
  } catch (e) {
    answer = fail(e);
  }
  console.log(JSON.stringify({ area, name, answer: answer ?? null }));
};
const s = (name) => `${name}-${run}`;
const ev = (k, type = 'T', data = { k }) => jsonEvent({ id: id(k), type, data });
const evs = (...ks) => ks.map((k) => ev(k));
// two ways to append: the batch stream (default) and the unary-per-call stream (forced by per-call credentials)
const ways = { batch: {}, unary: { credentials: { username: 'admin', password: 'changeit' } } };
const put = async (stream, events, opt = {}) => {
  const r = await client.appendToStream(stream, events, opt);
  return {
    ok: r.success,
    next: r.nextExpectedRevision,
    pos: r.position ? (r.position.commit >= 0n ? 'pos' : 'neg') : null,
  };
};
const list = async (it) => {
  const out = [];
  for await (const x of it) out.push(x);
  return out;
};
const brief = (r) => {
  const e = r.event;
  return e ? `${e.revision}:${e.type}:${scrub(e.id)}` : 'none';
};
const origin = (await client.appendToStream(s('origin'), evs('origin'))).position; // $all is read from here on
const read = async (stream, opt) => (await list(client.readStream(stream, opt))).map(brief);

for (const [way, w] of Object.entries(ways)) {
  const A = (x) => s(`${way}-${x}`);
  const e = (...ks) => ks.map((k) => ev(`${way}-${k}`));
  await q(`append.${way}`, 'new stream, no_stream', () => put(A('a'), e('a1'), { ...w, expectedRevision: NO_STREAM }));
  await q(`append.${way}`, 'no_stream again, other id', () =>
    put(A('a'), e('a2'), { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'no_stream again, same id', () =>
    put(A('a'), e('a1'), { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'no_stream again, same id, other data', () =>
    put(A('a'), [jsonEvent({ id: id(`${way}-a1`), type: 'Other', data: { z: 1 } })], {
      ...w,
      expectedRevision: NO_STREAM,
    }),
  );
  await q(`append.${way}`, 'read after these', () => read(A('a')));
  await q(`append.${way}`, 'any, new stream', () => put(A('b'), e('b1'), { ...w, expectedRevision: ANY }));
  await q(`append.${way}`, 'any, same id', () => put(A('b'), e('b1'), { ...w, expectedRevision: ANY }));
  await q(`append.${way}`, 'any, two more', () => put(A('b'), e('b2', 'b3'), { ...w, expectedRevision: ANY }));
  await q(`append.${way}`, 'any, same first id again, others in between', () =>
    put(A('b'), e('b1'), { ...w, expectedRevision: ANY }),
  );
  await q(`append.${way}`, 'any, the pair again', () => put(A('b'), e('b2', 'b3'), { ...w, expectedRevision: ANY }));
  await q(`append.${way}`, 'any, second of the pair', () => put(A('b'), e('b3'), { ...w, expectedRevision: ANY }));
  await q(`append.${way}`, 'any, old pair plus a new one', () =>
    put(A('b'), e('b2', 'b3', 'b4'), { ...w, expectedRevision: ANY }),
  );
  await q(`append.${way}`, 'read after these (any)', () => read(A('b')));
  await q(`append.${way}`, 'stream_exists on missing', () =>
    put(A('c'), e('c1'), { ...w, expectedRevision: STREAM_EXISTS }),
  );
  await q(`append.${way}`, 'exact 0 on missing', () => put(A('c'), e('c1'), { ...w, expectedRevision: 0n }));
  await q(`append.${way}`, 'three, no_stream', () =>
    put(A('d'), e('d1', 'd2', 'd3'), { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'stream_exists on existing', () =>
    put(A('d'), e('d4'), { ...w, expectedRevision: STREAM_EXISTS }),
  );
  await q(`append.${way}`, 'exact last', () => put(A('d'), e('d5'), { ...w, expectedRevision: 3n }));
  await q(`append.${way}`, 'exact stale, other id', () => put(A('d'), e('d6'), { ...w, expectedRevision: 3n }));
  await q(`append.${way}`, 'exact stale, same id', () => put(A('d'), e('d5'), { ...w, expectedRevision: 3n }));
  await q(`append.${way}`, 'exact future', () => put(A('d'), e('d7'), { ...w, expectedRevision: 99n }));
  await q(`append.${way}`, 'no_stream, the first three again', () =>
    put(A('d'), e('d1', 'd2', 'd3'), { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'no_stream, the first two again', () =>
    put(A('d'), e('d1', 'd2'), { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'no_stream, first three and a new one', () =>
    put(A('d'), e('d1', 'd2', 'd3', 'd8'), { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'exact 1, third again', () => put(A('d'), e('d3'), { ...w, expectedRevision: 1n }));
  await q(`append.${way}`, 'stream_exists, an old id', () =>
    put(A('d'), e('d2'), { ...w, expectedRevision: STREAM_EXISTS }),
  );
  await q(`append.${way}`, 'same id in another stream', () =>
    put(A('e'), e('d1'), { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'read it', () => read(A('f')));
  await q(`append.${way}`, 'no events, no_stream, missing', () =>
    put(A('g'), [], { ...w, expectedRevision: NO_STREAM }),
  );
  await q(`append.${way}`, 'no events, exact, existing', () => put(A('d'), [], { ...w, expectedRevision: 4n }));
  await q(`append.${way}`, 'read missing after no events', () => read(A('g')));
  await q(`append.${way}`, 'wrong revision without throwing', async () => {
    const r = await client.appendToStream(A('d'), e('d9'), { ...w, expectedRevision: 1n, throwOnAppendFailure: false });
    return { ok: r.success, next: r.nextExpectedRevision, pos: r.position ?? null };
  });
  await q(`append.${way}`, 'wrong no_stream without throwing', async () => {
    const r = await client.appendToStream(A('d'), e('d9'), {
      ...w,
      expectedRevision: NO_STREAM,
      throwOnAppendFailure: false,
    });
    return { ok: r.success, next: r.nextExpectedRevision, pos: r.position ?? null };
  });
  await q(`append.${way}`, 'empty stream name', () => put('', e('x1'), w));
  await q(`append.${way}`, 'stream name with spaces, slash, unicode', async () => {
    const x = s(`${way} a/b ?&# ü 漢`);
    await put(x, e('x2'), w);
    return read(x);
  });
  await q(`append.${way}`, 'system stream', () => put(s(`$${way}`), e('x4'), w));
  await q(`append.${way}`, 'data 1,000,000 bytes', () =>
    put(A('big1'), [binaryEvent({ id: id(`${way}-big1`), type: 'B', data: Buffer.alloc(1_000_000) })], w),
  );
  await q(`append.${way}`, 'data 1,048,576 bytes', () =>
    put(A('big2'), [binaryEvent({ id: id(`${way}-big2`), type: 'B', data: Buffer.alloc(1_048_576) })], w),
  );
  await q(`append.${way}`, 'data 3,000,000 bytes', () =>
    put(A('big4'), [binaryEvent({ id: id(`${way}-big4`), type: 'B', data: Buffer.alloc(3_000_000) })], w),
  );
  await q(`append.${way}`, 'streams after the big ones', async () => {
    const o = {};
    for (const b of ['big1', 'big2', 'big3', 'big4', 'big5']) {
      try {
        o[b] = (await read(A(b))).length;
      } catch (x) {
        o[b] = x.type;
      }
    }
    return o;
  });
  await q(`append.${way}`, 'still works', () => put(A('still'), e('s1'), { ...w, expectedRevision: NO_STREAM }));
}

await q('event', 'json event as read', async () => {
  await put(s('ev'), [
    jsonEvent({ id: id('ev1'), type: 'Typ', data: { a: 1, b: null, c: 'é', d: [1.5] }, metadata: { m: true } }),
    binaryEvent({ id: id('ev2'), type: 'Bin', data: Buffer.from('00ff10', 'hex'), metadata: Buffer.from('ab', 'hex') }),
    jsonEvent({ id: id('ev3'), type: 'NoMeta', data: {} }),
  ]);
  return (await list(client.readStream(s('ev')))).map((r) => ({
    ...r.event,
    position: r.event.position ? Object.keys(r.event.position) : null,
    created: typeof r.event.created,
    commitPosition: typeof r.commitPosition,
  }));
});
await q('event', 'positions in one append', async () => {
  const r = await client.appendToStream(s('pp'), evs('pp1', 'pp2', 'pp3'));
  const es_ = await list(client.readStream(s('pp')));
  const p = es_.map((x) => x.event.position);
  return {
    distinct: new Set(p.map((x) => String(x?.commit))).size,
    rising: p.every((x, i) => !i || x.commit > p[i - 1].commit),
    commitIsPrepare: p.map((x) => x?.commit === x?.prepare),
    resultIsLast: r.position.commit === p[2]?.commit && r.position.prepare === p[2]?.prepare,
  };
});

const five = s('five');
await put(five, evs('f-0', 'f-1', 'f-2', 'f-3', 'f-4'), {}).catch(() => {});
const R = (name, stream, opt) => q('read', name, () => read(stream, opt));
await R('missing stream', s('nope'));
await R('missing stream, backwards', s('nope'), { direction: BACKWARDS, fromRevision: END });
await R('whole', five);
await R('from 2', five, { fromRevision: 2n });
await R('from END forwards', five, { fromRevision: END });
await R('from 5 (next)', five, { fromRevision: 5n });
await R('max 2', five, { maxCount: 2 });
await R('backwards from END', five, { direction: BACKWARDS, fromRevision: END });
await R('backwards from START', five, { direction: BACKWARDS, fromRevision: START });
await R('backwards from 2', five, { direction: BACKWARDS, fromRevision: 2n });
await R('backwards from END, max 1', five, { direction: BACKWARDS, fromRevision: END, maxCount: 1 });
await q('read', '2,000 events, order', async () => {
  const x = s('long');
  for (let i = 0; i < 20; i++)
    await put(
      x,
      Array.from({ length: 100 }, (_, j) => ev(`long${i * 100 + j}`)),
    );
  const r = await list(client.readStream(x));
  return { n: r.length, ordered: r.every((y, i) => y.event.revision === BigInt(i)) };
});

const mark = await client.appendToStream(s('mark'), evs('mark1'));
await client.appendToStream(s('alla-1'), [ev('al1', 'A1'), ev('al2', 'B1')]);
await client.appendToStream(s('allb-1'), [ev('al3', 'A2')]);
const last = await client.appendToStream(s('alla-2'), [ev('al4', 'B2')]);
const all = async (opt) =>
  (await list(client.readAll(opt)))
    .map((r) => scrub(r.event?.streamId ?? 'none') + '/' + brief(r))
    .filter((x) => !x.startsWith('$'));
await q('all', 'from a position forwards (inclusive?)', () =>
  all({ fromPosition: mark.position, direction: FORWARDS }),
);
await q(
  'all',
  'from a position backwards (inclusive?)',
  async () => await all({ fromPosition: last.position, direction: BACKWARDS, maxCount: 4 }),
);
await q('all', 'from END forwards', () => all({ fromPosition: END }));
await q('all', 'from END backwards, max 2', () => all({ fromPosition: END, direction: BACKWARDS, maxCount: 2 }));

const inAll = async (x) =>
  (await list(client.readAll({ fromPosition: origin })))
    .filter((r) => r.event?.streamId === x || r.event?.streamId === '$$' + x)
    .map((r) => scrub(r.event.streamId) + '/' + brief(r));
const D = (name, f) => q('delete', name, f);
const mk = async (x, k = 3) => {
  await put(
    s(x),
    Array.from({ length: k }, (_, i) => ev(`${x}-${i}`)),
  );
};
const del = async (x, o) => {
  const r = await client.deleteStream(x, o);
  return { pos: r.position ? 'pos' : null };
};
const tomb = async (x, o) => {
  const r = await client.tombstoneStream(x, o);
  return { pos: r.position ? 'pos' : null };
};
await D('any, existing', async () => {
  await mk('d1');
  return del(s('d1'));
});
await D('read it', () => read(s('d1')));
await D('read it backwards', () => read(s('d1'), { direction: BACKWARDS, fromRevision: END }));
await D('metadata of it', async () => {
  const m = await client.getStreamMetadata(s('d1'));
  return { some: m.metastreamRevision !== undefined, metadata: m.metadata };
});
await D('append no_stream after', () => put(s('d1'), evs('d1-new'), { expectedRevision: NO_STREAM }));
await D('read after', () => read(s('d1')));
await D('metadata after', async () => {
  const m = await client.getStreamMetadata(s('d1'));
  return { some: m.metastreamRevision !== undefined, metadata: m.metadata };
});
await D('append exact old last after delete', async () => {
  await mk('d2');
  await del(s('d2'));
  return put(s('d2'), evs('d2-new'), { expectedRevision: 2n });
});
await D('append stream_exists after delete', async () => {
  await mk('d3');
  await del(s('d3'));
  return put(s('d3'), evs('d3-new'), { expectedRevision: STREAM_EXISTS });
});
await D('append any after delete', async () => {
  await mk('d4');
  await del(s('d4'));
  return put(s('d4'), evs('d4-new'), { expectedRevision: ANY });
});
await D('missing, any', () => del(s('dm1')));
await D('missing, stream_exists', () => del(s('dm3'), { expectedRevision: STREAM_EXISTS }));
await D('exact right', async () => {
  await mk('d8');
  return del(s('d8'), { expectedRevision: 2n });
});
await D('exact wrong', async () => {
  await mk('d9');
  return del(s('d9'), { expectedRevision: 1n });
});
await D('stream_exists on existing', async () => {
  await mk('d11');
  return del(s('d11'), { expectedRevision: STREAM_EXISTS });
});
await D('twice', async () => {
  await mk('d12');
  await del(s('d12'));
  return del(s('d12'));
});
const T = (name, f) => q('tombstone', name, f);
await T('existing, any', async () => {
  await mk('t1');
  return tomb(s('t1'));
});
await T('read it', () => read(s('t1')));
await T('append any', () => put(s('t1'), evs('t1-n'), { expectedRevision: ANY }));
await T('append no_stream', () => put(s('t1'), evs('t1-n'), { expectedRevision: NO_STREAM }));
await T('append unary', () => put(s('t1'), evs('t1-n'), { ...ways.unary, expectedRevision: ANY }));
await T('twice', () => tomb(s('t1')));
await T('delete after', () => del(s('t1')));
await T('metadata of it', async () => {
  const m = await client.getStreamMetadata(s('t1'));
  return { some: m.metastreamRevision !== undefined, metadata: m.metadata };
});
await T('missing, any', () => tomb(s('tm1')));
await T('missing, stream_exists', () => tomb(s('tm3'), { expectedRevision: STREAM_EXISTS }));
await T('exact wrong', async () => {
  await mk('t2');
  return tomb(s('t2'), { expectedRevision: 0n });
});

const M = (name, f) => q('metadata', name, f);
const getm = async (x) => {
  const m = await client.getStreamMetadata(x);
  return { some: m.metastreamRevision !== undefined, metadata: m.metadata, stream: m.streamName };
};
const setm = async (x, v, o) => {
  const r = await client.setStreamMetadata(x, v, o);
  return { ok: r.success, next: r.nextExpectedRevision };
};
await M('of a missing stream', () => getm(s('m0')));
await M('set on a missing stream', () => setm(s('m0'), { maxCount: 3, custom: { a: [1] } }));
await M('get it', () => getm(s('m0')));
await M('read that stream', () => read(s('m0')));
await M('append no_stream to it', () => put(s('m0'), evs('m0-1'), { expectedRevision: NO_STREAM }));
await M('set again, no_stream', () => setm(s('m0'), { maxCount: 4 }, { expectedRevision: NO_STREAM }));
await M('set again, exact', () =>
  setm(
    s('m0'),
    { maxAge: 100, cacheControl: 5, truncateBefore: 7, acl: { readRoles: ['a'], writeRoles: ['b'] } },
    { expectedRevision: 0n },
  ),
);
await M('get again', () => getm(s('m0')));
await M('the metastream', async () =>
  (await list(client.readStream('$$' + s('m0')))).map((r) => ({ b: brief(r), data: r.event.data })),
);
await M('metastream of metastream', () => getm('$$' + s('m0')));
const mc = async (x, meta, k = 5) => {
  await mk(x, k);
  await setm(s(x), meta);
};
await M('maxCount 2: forwards', async () => {
  await mc('mc', { maxCount: 2 });
  return read(s('mc'));
});
await M('maxCount 2: from 0 max 1', () => read(s('mc'), { fromRevision: 0n, maxCount: 1 }));
await M('maxCount 2: backwards', () => read(s('mc'), { direction: BACKWARDS, fromRevision: END }));
await M('maxCount 2: backwards from 1', () => read(s('mc'), { direction: BACKWARDS, fromRevision: 1n }));
await M('maxCount 2: after one more', async () => {
  await put(s('mc'), evs('mc-5'), { expectedRevision: 4n });
  return read(s('mc'));
});
await M('maxCount 2: in $all', async () => inAll(s('mc')));
await M('truncateBefore 3', async () => {
  await mc('tb', { truncateBefore: 3 });
  return read(s('tb'));
});
await M('truncateBefore beyond the end: read', async () => {
  await mc('tb2', { truncateBefore: 100 });
  return read(s('tb2'));
});
await M('truncateBefore beyond the end: append no_stream', () =>
  put(s('tb2'), evs('tb2-n'), { expectedRevision: NO_STREAM }),
);
await M('truncateBefore beyond the end: append exact', () => put(s('tb2'), evs('tb2-n2'), { expectedRevision: 4n }));
await M('truncateBefore beyond the end: read after', () => read(s('tb2')));
await M('maxAge 1 s, after 2.5 s', async () => {
  await mc('ma', { maxAge: 1 });
  await sleep(2500);
  return read(s('ma'));
});
await M('maxCount 0', async () => setm(s('mz'), { maxCount: 0 }));
await M('custom values come back', async () => {
  await setm(s('mcu'), { s: 't', n: 1.5, b: false, o: { x: null }, l: [1] });
  return getm(s('mcu'));
});

const L = (name, f) => q('links', name, f);
const linkBytes = (k, to) => binaryEvent({ id: id(k), type: '$>', data: Buffer.from(to) });
await L('resolved', async () => {
  await put(s('l1'), [
    linkBytes('lk1', `1@${five}`),
    linkBytes('lk2', `0@${s('nope')}`),
    linkBytes('lk3', `99@${five}`),
  ]);
  return (await list(client.readStream(s('l1'), { resolveLinkTos: true }))).map((r) => ({
    e: brief(r),
    link: r.link ? `${r.link.revision}:${r.link.type}` : null,
    pos: r.commitPosition === undefined ? 'none' : typeof r.commitPosition,
  }));
});

// subscriptions: collect for as long as asked, then stop
const sub = async (make, during = async () => {}, ms = 700, want = Infinity) => {
  const seen = [];
  const it = make();
  let err = null;
  const done = (async () => {
    try {
      for await (const r of it) {
        seen.push(brief(r));
        if (seen.length >= want) break;
      }
    } catch (e) {
      err = fail(e);
    }
  })();
  const marks = [];
  it.on?.('confirmation', () => marks.push('confirmed'));
  it.on?.('caughtUp', () => marks.push('caughtUp'));
  it.on?.('fellBehind', () => marks.push('fellBehind'));
  await sleep(ms * pace);
  await during();
  await sleep(ms * pace);
  await it.unsubscribe?.();
  await Promise.race([done, sleep(500)]);
  return { seen, err, confirmed: marks.includes('confirmed'), caughtUp: marks.filter((x) => x === 'caughtUp').length };
};
const S = (name, f) => q('subscribe', name, f);
await S('stream from START, then live', async () => {
  await mk('s1');
  return sub(
    () => client.subscribeToStream(s('s1'), { fromRevision: START }),
    () => put(s('s1'), evs('s1-live')),
  );
});
await S('stream from END, then live', async () =>
  sub(
    () => client.subscribeToStream(s('s1'), { fromRevision: END }),
    () => put(s('s1'), evs('s1-live2')),
  ),
);
await S('stream from 1 (exclusive?)', async () => sub(() => client.subscribeToStream(s('s1'), { fromRevision: 1n })));
await S('stream missing, then created', async () =>
  sub(
    () => client.subscribeToStream(s('s2')),
    () => put(s('s2'), evs('s2-a', 's2-b')),
  ),
);
await S('stream soft deleted, from START, then recreated', async () => {
  await mk('s4');
  await del(s('s4'));
  return sub(
    () => client.subscribeToStream(s('s4'), { fromRevision: START }),
    () => put(s('s4'), evs('s4-n')),
  );
});
await S('stream tombstoned', async () => {
  await mk('s5');
  await tomb(s('s5'));
  return sub(() => client.subscribeToStream(s('s5'), { fromRevision: START }));
});
await S('stream with maxCount 2, from START', async () => {
  await mc('s8', { maxCount: 2 });
  return sub(() => client.subscribeToStream(s('s8'), { fromRevision: START }));
});
await S('all, prefix, from START, then live', async () => {
  await mk('sa');
  return sub(
    () => client.subscribeToAll({ filter: streamNameFilter({ prefixes: [s('sa')] }) }),
    () => put(s('sa'), evs('sa-live')),
    1500,
  );
});
await S('all, prefix, from a position (exclusive?)', async () => {
  const r = await list(client.readStream(s('sa')));
  return sub(
    () =>
      client.subscribeToAll({ fromPosition: r[1].event.position, filter: streamNameFilter({ prefixes: [s('sa')] }) }),
    undefined,
    1200,
  );
});
await S('all, prefix, from END, then live', async () =>
  sub(
    () => client.subscribeToAll({ fromPosition: END, filter: streamNameFilter({ prefixes: [s('sa')] }) }),
    () => put(s('sa'), evs('sa-live2')),
    1200,
  ),
);
await S('all, no filter, from END: a metadata change is seen', async () => {
  const r = await sub(
    () => client.subscribeToAll({ fromPosition: END }),
    async () => {
      await setm(s('sm'), { x: 1 });
      await put(s('sm'), evs('sm1'));
    },
    1000,
  );
  return r.seen.filter((x) => !x.includes('$') || x.includes('$metadata')).length;
});
await S('all, excludeSystemEvents, from END: a metadata change is not', async () => {
  const r = await sub(
    () => client.subscribeToAll({ fromPosition: END, filter: excludeSystemEvents() }),
    async () => {
      await setm(s('sm2'), { x: 1 });
      await put(s('sm2'), evs('sm2-1'));
    },
    1000,
  );
  return r.seen;
});
await S('all, checkpoints rise and pass the last match', async () => {
  const cps = [];
  const base = (await client.appendToStream(s('cp0'), evs('cp0'))).position;
  let lastEvent = null;
  let max = null;
  const it = client.subscribeToAll({
    fromPosition: base,
    filter: streamNameFilter({
      prefixes: [`cpx-${run}`],
      maxSearchWindow: 32,
      checkpointInterval: 1,
      checkpointReached: async (_s, p) => {
        cps.push(p.commit);
      },
    }),
  });
  (async () => {
    try {
      for await (const r of it) lastEvent = r.event.position.commit;
    } catch {
      /* unsubscribed */
    }
  })();
  await sleep(500 * pace);
  for (let i = 0; i < 10; i++)
    await put(
      s('noise'),
      Array.from({ length: 100 }, (_, j) => ev(`cpn${i}-${j}`)),
    );
  await put(`cpx-${run}`, evs('cpx1'));
  for (let i = 0; i < 3; i++)
    max = await client.appendToStream(
      s('noise'),
      Array.from({ length: 100 }, (_, j) => ev(`cpm${i}-${j}`)),
    );
  await sleep(1500 * pace);
  await it.unsubscribe();
  return {
    some: cps.length > 0,
    many: cps.length >= 10,
    rising: cps.every((c, i) => !i || c >= cps[i - 1]),
    strictlyRising: cps.every((c, i) => !i || c > cps[i - 1]),
    matched: lastEvent !== null,
    passedTheMatch: cps.some((c) => c > lastEvent),
    upToHead: cps.length ? cps[cps.length - 1] >= max.position.commit - 40000n : false,
  };
});
await S('all, checkpoints while catching up', async () => {
  const cps = [];
  const it = client.subscribeToAll({
    fromPosition: START,
    filter: streamNameFilter({
      prefixes: [`nothing-${run}`],
      maxSearchWindow: 32,
      checkpointInterval: 2,
      checkpointReached: async (_s, p) => {
        cps.push(p.commit);
      },
    }),
  });
  (async () => {
    try {
      for await (const ignored of it) void ignored;
    } catch {
      /* unsubscribed */
    }
  })();
  await sleep(2000 * pace);
  await it.unsubscribe();
  return { some: cps.length > 0, rising: cps.every((c, i) => !i || c >= cps[i - 1]) };
});
await S('all, a batch of 1,000 live, in order, once', async () => {
  const seen = [];
  const it = client.subscribeToAll({ fromPosition: END, filter: streamNameFilter({ prefixes: [s('live1000')] }) });
  (async () => {
    try {
      for await (const r of it) seen.push(r.event.revision);
    } catch {
      /* unsubscribed */
    }
  })();
  await sleep(600 * pace);
  await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      put(
        s('live1000'),
        Array.from({ length: 100 }, (_, j) => ev(`lv${i}-${j}`)),
      ),
    ),
  );
  for (let i = 0; i < 50 && seen.length < 1000; i++) await sleep(100);
  await it.unsubscribe();
  return {
    some: seen.length > 0,
    once: new Set(seen.map(String)).size === seen.length,
    ordered: seen.every((x, i) => x === BigInt(i)),
  };
});
await S('caught-up race: 2,000 appended while subscribing', async () => {
  const seen = [];
  const w = (async () => {
    for (let i = 0; i < 200; i++)
      await put(
        s('race'),
        Array.from({ length: 10 }, (_, j) => ev(`rc${i}-${j}`)),
      );
  })();
  await sleep(50);
  const it = client.subscribeToStream(s('race'), { fromRevision: START });
  (async () => {
    try {
      for await (const r of it) seen.push(r.event.revision);
    } catch {
      /* unsubscribed */
    }
  })();
  await w;
  for (let i = 0; i < 50 && seen.length < 2000; i++) await sleep(100);
  await it.unsubscribe();
  return { n: seen.length, ordered: seen.every((x, i) => x === BigInt(i)) };
});
await q('race', '64 writers, same revision, one winner', async () => {
  await put(s('rw'), evs('rw0'));
  const r = await Promise.allSettled(
    Array.from({ length: 64 }, (_, i) => put(s('rw'), [ev(`rw-${i}`)], { expectedRevision: 0n })),
  );
  return {
    won: r.filter((x) => x.status === 'fulfilled').length,
    lost: r.filter((x) => x.status === 'rejected' && x.reason.type === 'wrong-expected-version').length,
    events: (await read(s('rw'))).length,
  };
});
await q('race', '64 times the same id at once, any', async () => {
  const r = await Promise.allSettled(
    Array.from({ length: 64 }, () => put(s('rs'), evs('rs0'), { expectedRevision: ANY })),
  );
  return { some: r.some((x) => x.status === 'fulfilled'), events: (await read(s('rs'))).length };
});
await q('features', 'capabilities', async () => {
  const c = await client.capabilities;
  return { batch: c.supports(require('@eventstore/db-client/generated/streams_grpc_pb').StreamsService.batchAppend) };
});
await client.dispose();
process.exit(0);
