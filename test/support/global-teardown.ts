import { rmSync } from 'node:fs';

export default async function globalTeardown(): Promise<void> {
  const shared = globalThis.sharedPostgres;
  if (!shared) return;
  await shared.postgres.close();
  rmSync(shared.directory, { recursive: true, force: true });
}
