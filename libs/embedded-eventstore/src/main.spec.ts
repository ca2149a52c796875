import { parseCommand } from './main';

describe('the command line', () => {
  it('takes a directory or memory, a port and an address', () => {
    expect(parseCommand(['--data', 'd'])).toEqual({ dataDir: 'd', port: 2113, host: '127.0.0.1' });
    expect(parseCommand(['--memory', '--port', '0', '--host', '::1'])).toEqual({
      dataDir: undefined,
      port: 0,
      host: '::1',
    });
    expect(parseCommand(['--help', '--bogus'])).toHaveProperty('problem');
    expect(parseCommand(['-h'])).toBe('help');
  });

  it.each(['', '--memory --data d', '--data=', '--memory --port 70000', '--nonsense'])('refuses %j', (line) => {
    const args = line.split(' ').filter((word) => word !== '');
    expect(parseCommand(args)).toHaveProperty('problem');
  });
});
