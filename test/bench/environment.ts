import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';

/** What a figure hangs on besides the code: the machine, the servers and the run. Never passwords. */
export interface Environment {
  readonly node: string;
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryBytes: number;
  readonly kernel: string;
  /** Of the directory that the servers' data is in. */
  readonly filesystem: string;
  /** embedded, or the host and port. */
  readonly eventstore: string;
  readonly database: string;
  readonly commit: string;
  readonly seed: number;
  readonly scale: string;
  readonly startedAt: string;
}

/** Looks at the machine; `directory` is where the servers' data will be. */
export function environment(run: { seed: number; scale: string }, directory: string): Environment {
  const processors = cpus();
  return {
    node: process.version,
    cpus: processors.length,
    cpuModel: processors[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    filesystem: filesystemOf(directory),
    eventstore: hostOf(process.env['EVENTSTORE_URL']),
    database: hostOf(process.env['DATABASE_URL']),
    commit: commit(),
    ...run,
    startedAt: new Date().toISOString(),
  };
}

function hostOf(url: string | undefined): string {
  if (!url) return 'embedded';
  return /^[a-z+]+:\/\/(?:[^@/]*@)?([^/?]+)/.exec(url)?.[1] ?? 'unknown';
}

function commit(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: join(__dirname, '../..'), encoding: 'utf8' }).stdout?.trim() ?? '';
  const revision = git('rev-parse', '--short=12', 'HEAD');
  if (revision === '') return 'unknown';
  return git('status', '--porcelain', '--untracked-files=no') === '' ? revision : `${revision} and changes`;
}

function filesystemOf(directory: string): string {
  let mounts: string;
  try {
    mounts = readFileSync('/proc/mounts', 'utf8');
  } catch {
    return 'unknown';
  }
  const holding = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = '']) => point === '/' || directory === point || directory.startsWith(`${point}/`))
    .sort(([, a = ''], [, b = '']) => a.length - b.length)
    .at(-1);
  return holding?.[2] ?? 'unknown';
}
