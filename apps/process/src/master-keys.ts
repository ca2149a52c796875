import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type MasterKey, parseMasterKeys } from '@perennial/event-sourcing';
import { type Config, newId } from '@perennial/platform';
import { CannotStart } from './run';

/**
 * The master keys of this configuration; without any, the one in DATA_DIR/personal-data-master-key, made there at the
 * first start and readable by its owner only. Throws CannotStart when that file holds no key.
 */
export function masterKeysOf({ personalDataMasterKey, dataDir }: Config): readonly [MasterKey, ...MasterKey[]] {
  if (personalDataMasterKey !== undefined) return parseMasterKeys(personalDataMasterKey);
  const path = join(dataDir, 'personal-data-master-key');
  const text = readKey(path) ?? makeKey(dataDir, path);
  try {
    return parseMasterKeys(text);
  } catch {
    throw new CannotStart(`${path} holds no key: bring it back from a backup, or set PERSONAL_DATA_MASTER_KEY`);
  }
}

/** Whole and on disk before it has its name, and never in place of another: of two processes at once, one makes it. */
function makeKey(dataDir: string, path: string): string {
  mkdirSync(dataDir, { recursive: true });
  const made = `${path}.${newId()}`;
  const file = openSync(made, 'wx', 0o600);
  writeSync(file, `${randomBytes(32).toString('base64')}\n`);
  fsyncSync(file);
  closeSync(file);
  try {
    linkSync(made, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(made);
  }
  const directory = openSync(dataDir, 'r');
  fsyncSync(directory);
  closeSync(directory);
  return readFileSync(path, 'utf8');
}

function readKey(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
