import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isServed, publishServers } from './servers-file';

it('says that a published address is damaged, whichever byte it is, and leads nobody to other servers', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'perennial-servers-'));
  const path = join(directory, 'servers.json');
  try {
    await publishServers(directory, {
      eventstoreUrl: 'esdb://127.0.0.1:1?tls=false',
      databaseUrl: 'postgresql://postgres@127.0.0.1:1/postgres',
    });
    const text = readFileSync(path, 'utf8');
    const values = /^\{"pid":(\d+),"eventstoreUrl":"([^"]+)","databaseUrl":"([^"]+)","checksum":"([^"]+)"\}$/d.exec(
      text,
    );
    if (!values?.indices) throw new Error(text);
    for (const [from, to] of values.indices.slice(1))
      for (let at = from; at < to; at += 1) {
        const bytes = Buffer.from(text);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        writeFileSync(path, bytes);
        await expect(isServed(directory)).rejects.toThrow('servers.json is damaged');
      }
    writeFileSync(path, text.slice(0, 40));
    await expect(isServed(directory)).rejects.toThrow('servers.json is damaged');
    writeFileSync(path, text);
    await expect(isServed(directory)).resolves.toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
