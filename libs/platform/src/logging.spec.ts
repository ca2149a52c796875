import { createLogger } from './logging';

function logged(write: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger('info', { write: (line: string) => lines.push(line) }));
  return lines.join('');
}

it('redacts secrets at any of three levels', () => {
  const text = logged((logger) =>
    logger.info({
      authorization: 'Bearer hush',
      request: { headers: { authorization: 'hush' } },
      key: { secret: 'hush' },
    }),
  );
  expect(text).toContain('[redacted]');
  expect(text).not.toContain('hush');
});

it('takes API keys and passwords out of errors', () => {
  const text = logged((logger) =>
    logger.error({ err: new Error('connect postgres://me:hush@db failed for pk_0190-ab_c2VjcmV0c2VjcmV0') }),
  );
  expect(text).not.toMatch(/hush|c2VjcmV0/);
  expect(text).toContain('postgres://me:***@db');
});
