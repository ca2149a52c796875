import { monthly, lineItem, Service } from '../support/app';
import { pageOf, walkThrough } from './walk-through';

describe('the pages', () => {
  let service: Service;
  afterEach(() => service.stop());

  it.each([
    ['README.md', '2027-01-01T00:00:00Z', 7],
    ['docs/lifecycle.md', '2026-01-01T00:00:00Z', 25],
    ['docs/invoices.md', '2026-01-01T00:00:00Z', 12],
  ])('%s works word for word', async (name, now, least) => {
    service = await Service.start();
    await service.setClock(now);
    const { requests, shown } = await walkThrough(pageOf(name), service);
    expect(requests).toBeGreaterThanOrEqual(least);
    for (const each of shown) expect([each.after, each.answer]).toMatchObject([each.after, each.shown]);
  });

  it('docs/lifecycle.md says what each command is answered in each status', async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00Z');
    let keys = 0;
    const post = async (path: string, body: unknown) => {
      const answer = await service.client.post(`/v1/subscriptions${path}`, body, `key-${(keys += 1)}`);
      return answer.body;
    };
    const start = async (more: object, ...then: readonly (readonly [string, object])[]) => {
      const { id } = await post('', monthly({ timeZone: 'UTC', ...more }));
      for (const [step, body] of then) await post(`/${id}/${step}`, body);
      return id as string;
    };
    const quantity = (n: number) => [{ kind: 'quantity', itemId: 'base', quantity: `${n}` }];
    const ids: Record<string, string> = {
      scheduled: await start({ startsAt: '2026-02-01T00:00:00Z' }),
      trialing: await start({ trialDays: 14 }),
      active: await start({}),
      canceling: await start({}, ['cancel', { at: 'period-end' }]),
      paused: await start({}, ['pause', {}]),
      canceled: await start({}, ['cancel', { at: 'now' }]),
      held: await start({}),
    };
    for (let n = 0; n < 60; n += 1)
      await post(`/${ids['held']}/changes`, { edits: quantity(1 + (n % 2)), billing: 'now' });
    const commands: Record<string, readonly [string, object | undefined]> = {
      'line-items': ['line-items', lineItem('one')],
      changes: ['changes', { edits: quantity(3) }],
      'changes at the period end': ['changes', { edits: quantity(3), when: 'period-end' }],
      'billing-cycle': ['billing-cycle', { anchor: { dayOfMonth: 15 } }],
      periods: ['periods', { periods: 12 }],
      pause: ['pause', {}],
      'pause at the period end': ['pause', { at: 'period-end' }],
      'undo-pause': ['undo-pause', undefined],
      resume: ['resume', {}],
      'cancel now': ['cancel', { at: 'now' }],
      'cancel at the period end': ['cancel', { at: 'period-end' }],
      'undo-cancellation': ['undo-cancellation', undefined],
      'release-hold': ['release-hold', undefined],
    };
    const found: string[][] = [];
    for (const [name, [path, body]] of Object.entries(commands)) {
      const row = [name];
      for (const id of Object.values(ids)) {
        const { code, events } = await post(`/${id}/${path}?dryRun=true`, body);
        row.push(code === undefined ? (events.length > 0 ? 'yes' : 'nothing') : `\`${code}\``);
      }
      found.push(row);
    }
    const [, table = ''] = /^(\| Command[^]*?)\n\n/m.exec(pageOf('docs/lifecycle.md')) ?? [];
    const stated = table.split('\n').map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect(stated[0]).toEqual(['Command', ...Object.keys(ids)]);
    expect(stated.slice(2)).toEqual(found);
  });
});
