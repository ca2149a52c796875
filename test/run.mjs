/**
 * Runs a TypeScript program of this directory under plain Node, compiled in memory exactly as jest compiles the specs:
 * `node test/run.mjs test/faults/faults.ts --seed 1`.
 */
import Module, { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { transformFileSync } = require('@swc/core');
const [, swc] = require('../jest.config.cjs').transform['^.+\\.ts$'];

Module._extensions['.ts'] = (module, filename) => {
  module._compile(transformFileSync(filename, { ...swc, swcrc: false, sourceMaps: 'inline' }).code, filename);
};
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  const lib = /^@perennial\/([^/]+)$/.exec(request);
  return resolveFilename.call(this, lib ? join(root, 'libs', lib[1], 'src', 'index.ts') : request, ...rest);
};
process.setSourceMapsEnabled(true);

const [program, ...rest] = process.argv.slice(2);
if (!program || !existsSync(program)) {
  console.error('usage: node test/run.mjs PROGRAM.ts [options]');
  process.exit(2);
}
process.argv = [process.argv[0], resolve(program), ...rest];
require(resolve(program));
