import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidConfiguration, configurationTable, loadConfig, maskPassword, printableConfig } from './config';

describe('loadConfig', () => {
  it('has a default for every name and takes empty values as unset', () => {
    const config = loadConfig({ PORT: '', DATABASE_URL: ' ' });
    expect(config.port).toBe(3000);
    expect(config.databaseUrl).toBeUndefined();
  });

  it('reads numbers and booleans', () => {
    const config = loadConfig({ PORT: '0', TEST_CLOCK: 'true', SNAPSHOT_EVERY: '7' });
    expect([config.port, config.testClock, config.snapshotEvery]).toEqual([0, true, 7]);
  });

  it('reports every wrong name at once, without values of connection strings', () => {
    const load = () =>
      loadConfig({ PORT: '70000', SNAPSHOT_EVERY: '1.5', DATABASE_URL: 'mysql://me:hush@db/x', TEST_CLOCK: 'maybe' });
    expect(load).toThrow(InvalidConfiguration);
    let message = '';
    try {
      load();
    } catch (error) {
      message = (error as InvalidConfiguration).message;
      expect((error as InvalidConfiguration).problems).toHaveLength(4);
    }
    for (const name of ['PORT', 'SNAPSHOT_EVERY', 'DATABASE_URL', 'TEST_CLOCK']) expect(message).toContain(name);
    expect(message).not.toContain('hush');
  });

  it('refuses the test clock in production, however it was asked for', () => {
    expect(() => loadConfig({ NODE_ENV: 'production', TEST_CLOCK: '1' })).toThrow(/refused/);
    expect(() => loadConfig({ NODE_ENV: 'production' }, { testClock: true })).toThrow(/refused/);
  });
});

describe('printableConfig', () => {
  it('shows every name and no password', () => {
    const text = printableConfig(
      loadConfig({
        DATABASE_URL: 'postgres://me:hush@db/x',
        EVENTSTORE_URL: 'esdb://admin:changeit@n1:2113,n2:2113?tls=true',
      }),
    );
    expect(text).toContain('DATABASE_URL=postgres://me:***@db/x');
    expect(text).toContain('EVENTSTORE_URL=esdb://admin:***@n1:2113,n2:2113?tls=true');
    expect(text).toContain('PORT=3000');
    expect(text).not.toMatch(/hush|changeit/);
  });

  it('masks a password that holds an at sign or stands in the query', () => {
    expect(maskPassword('postgres://me:a@b@db/x')).not.toContain('a@b');
    expect(maskPassword('esdb://host?userKeyPassword=hush&tls=true')).toBe('esdb://host?userKeyPassword=***&tls=true');
  });
});

it('is documented name by name in docs/configuration.md', () => {
  const page = readFileSync(join(__dirname, '../../../docs/configuration.md'), 'utf8');
  const cells = (table: string) => table.split('\n').map((row) => row.split('|').map((cell) => cell.trim()));
  const documented = page.split('\n').filter((row) => row.startsWith('| ') || row.startsWith('|-'));
  const wanted = cells(configurationTable()).filter(([, name]) => name?.startsWith('`'));
  expect(cells(documented.join('\n')).filter(([, name]) => name?.startsWith('`'))).toEqual(wanted);
});
