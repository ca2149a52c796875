import { lineItem, monthly, Service } from '../support/app';

describe('commands over HTTP', () => {
  let service: Service;
  let counter = 0;
  const key = () => `key-${(counter += 1)}`;

  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00Z');
  });
  afterAll(() => service.stop());

  const start = async (more: object = {}) =>
    (await service.client.post('/v1/subscriptions', monthly(more), key())).body;

  describe('Idempotency-Key', () => {
    it('makes one subscription of many starts at once, with one answer', async () => {
      const shared = key();
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => service.client.post('/v1/subscriptions', monthly(), shared)),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
      expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
      expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    });

    it('takes a quoted key for the bare one', async () => {
      const first = await service.client.post('/v1/subscriptions', monthly(), 'quo"ted');
      const second = await service.client.post('/v1/subscriptions', monthly(), '"quo\\"ted"');
      expect(second.headers['idempotent-replayed']).toBe('true');
      expect(second.body).toEqual(first.body);
    });

    it('refuses it for another body, another path or another command', async () => {
      const { id } = await start();
      const used = key();
      await service.client.post(`/v1/subscriptions/${id}/line-items`, lineItem('a'), used);
      const other = [
        await service.client.post(`/v1/subscriptions/${id}/line-items`, lineItem('b'), used),
        await service.client.post(`/v1/subscriptions/${id}/line-items/a/void`, undefined, used),
        await service.client.post(`/v1/subscriptions/${id}/pause`, {}, used),
      ];
      expect(other.map(({ status, body }) => [status, body.code])).toEqual(
        Array(3).fill([422, 'idempotency-key-reused']),
      );
    });

    it('does not care for the order of names or for white space in the body', async () => {
      const used = key();
      const body = monthly() as Record<string, unknown>;
      const reversed = Object.fromEntries(Object.entries(body).reverse());
      const first = await service.client.post('/v1/subscriptions', body, used);
      const second = await service.client.post('/v1/subscriptions', JSON.stringify(reversed, null, 4), used);
      expect(second.body).toEqual(first.body);
    });

    it('remembers a command that changed nothing', async () => {
      const { id } = await start();
      const resume = key();
      const first = await service.client.post(`/v1/subscriptions/${id}/resume`, {}, resume);
      expect([first.status, first.body.events]).toEqual([200, []]);
      await service.client.post(`/v1/subscriptions/${id}/pause`, {}, key());
      const repeat = await service.client.post(`/v1/subscriptions/${id}/resume`, {}, resume);
      expect(repeat.body).toEqual(first.body);
      expect(
        (await service.client.get(`/v1/audit/subscriptions/${id}?at=2026-12-31T00:00:00Z`)).body.subscription.status,
      ).toBe('paused');
    });

    it('keeps who asked, on whose behalf, why, and the trace', async () => {
      const { id } = await start();
      const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
      const headers = { 'x-actor': 'Zoë', 'x-reason': 'asked by phone', 'x-correlation-id': 'call-7', traceparent };
      const sent = await service.client.post(`/v1/subscriptions/${id}/pause`, {}, key(), {
        headers,
      });
      expect(sent.headers['x-correlation-id']).toBe('call-7');
      const stream = (await service.client.get(`/v1/streams?aggregateId=${id}&minPosition=${sent.body.position}`)).body
        .items[0].stream;
      const { events } = (await service.client.get(`/v1/audit/streams/${stream}/events?limit=1000`)).body;
      expect(events.at(-1).stored.metadata).toMatchObject({
        tenant: 'default',
        actor: 'Zoë',
        reason: 'asked by phone',
        correlationId: 'call-7',
        traceparent,
      });
    });
  });

  describe('If-Match', () => {
    it('has one winner for each revision', async () => {
      const { id, revision } = await start();
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, n) =>
          service.client.post(`/v1/subscriptions/${id}/line-items`, lineItem(`race-${n}`), key(), { revision }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(412)]);
      const [winner] = answers.filter(({ status }) => status === 201);
      for (const { body, status } of answers) {
        if (status === 412)
          expect(body).toMatchObject({ code: 'revision-mismatch', currentRevision: winner?.body.revision });
      }
    });

    it('takes the ETag of a read, `*` for any, and refuses what names no one revision', async () => {
      const { id, position } = await start();
      const read = await service.client.get(`/v1/subscriptions/${id}?minPosition=${position}`);
      const match = (value: string) =>
        service.client.post(`/v1/subscriptions/${id}/line-items`, lineItem(`m-${key()}`), key(), {
          headers: { 'if-match': value },
        });
      expect((await match(read.headers['etag'] as string)).status).toBe(201);
      expect((await match('*')).status).toBe(201);
      for (const value of ['7', 'W/"7"', '"1", "2"', '"x"', '""']) {
        const { status, body } = await match(value);
        expect([value, status, body.code]).toEqual([value, 400, 'invalid-if-match']);
      }
    });

    it('answers a repeat from the record although the revision has moved on', async () => {
      const { id, revision } = await start();
      const used = key();
      const send = () =>
        service.client.post(`/v1/subscriptions/${id}/line-items`, lineItem('once'), used, { revision });
      const first = await send();
      await service.client.post(`/v1/subscriptions/${id}/line-items`, lineItem('more'), key());
      expect((await send()).body).toEqual(first.body);
    });
  });

  describe('dryRun', () => {
    it('shows what would be recorded, records nothing and leaves the key free', async () => {
      const { id, revision } = await start();
      const used = key();
      const dry = await service.client.post(`/v1/subscriptions/${id}/pause?dryRun=true`, {}, used);
      expect(dry.body).toMatchObject({ dryRun: true, revision });
      expect(dry.body.events.map(({ type }: { type: string }) => type)).toEqual([
        'BillingPeriodClosed',
        'SubscriptionPaused',
      ]);
      const real = await service.client.post(`/v1/subscriptions/${id}/pause`, {}, used);
      expect(real.headers['idempotent-replayed']).toBeUndefined();
      expect(real.body.events).toEqual(dry.body.events);
    });

    it('tries a start without making anything', async () => {
      const dry = await service.client.post('/v1/subscriptions?dryRun=true', monthly(), key());
      expect([dry.status, dry.headers.location]).toEqual([200, undefined]);
      expect((await service.client.get(`/v1/audit/subscriptions/${dry.body.id}?atRevision=0`)).status).toBe(404);
    });
  });

  describe('minPosition', () => {
    it('reads what was just written, on every read model', async () => {
      for (let round = 0; round < 10; round += 1) {
        const { id, position, revision } = await start();
        const at = `minPosition=${position}`;
        expect((await service.client.get(`/v1/subscriptions/${id}?${at}`)).body.revision).toBe(revision);
        const { body } = await service.client.get(`/v1/subscriptions/${id}/current-billing-period?${at}`);
        expect(body.revision).toBe(revision);
        expect(Number(body.asOf.position)).toBeGreaterThanOrEqual(Number(position));
        expect((await service.client.get(`/v1/streams?aggregateId=${id}&${at}`)).body.items).toHaveLength(1);
      }
    });

    it('refuses a position where nothing stands, at once', async () => {
      const asked = performance.now();
      const { status, body } = await service.client.get('/v1/invoices?minPosition=999999999999999');
      expect([status, body.code]).toEqual([422, 'unknown-position']);
      expect(performance.now() - asked).toBeLessThan(1_500);
    });
  });
});
