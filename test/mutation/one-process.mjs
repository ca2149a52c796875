/**
 * Runs the specs of the domain for Stryker in one process that has loaded all of them once: a mutant costs the tests that
 * reach it, the quickest first, until one fails, instead of a run of jest.
 */
import Module, { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Script } from 'node:vm';

const DOMAIN = 'libs/billing-domain/src';
/** How a test ended, as Stryker counts it. */
const [SUCCESS, FAILED] = [0, 1];

const FOR_EVER = 'it goes on for ever';
const runTest = new Script('currentTest()');

class OneProcess {
  /** What each test took without mutants. */
  times = new Map();

  /** Mutants of what only loading runs are ignored, so no other asks for another environment. */
  capabilities() {
    return { reloadEnvironment: true };
  }

  async init() {
    this.root = process.cwd();
    this.require = createRequire(join(this.root, 'test/mutation/specs.cjs'));
    const { transformSync } = this.require('@swc/core');
    const [[, swc]] = Object.values(this.require('../../jest.config.cjs').transform);
    const compiled = new Map();
    Module._extensions['.ts'] = (module, filename) => {
      if (!compiled.has(filename)) {
        const source = readFileSync(filename, 'utf8');
        compiled.set(filename, transformSync(source, { ...swc, swcrc: false, sourceMaps: false, filename }).code);
      }
      module._compile(compiled.get(filename), filename);
    };
    const resolveFilename = Module._resolveFilename;
    const examples = join(this.root, 'test/mutation/fast-check.cjs');
    Module._resolveFilename = function (request, ...rest) {
      if (request === 'fast-check') return examples;
      return resolveFilename.call(this, request === 'fast-check, the library' ? 'fast-check' : request, ...rest);
    };
    this.load();
  }

  /** Loads code and specs anew, so that nothing is left of an earlier mutant. */
  load() {
    for (const file of Object.keys(this.require.cache)) {
      if (file.startsWith(this.root) && !file.includes('node_modules')) delete this.require.cache[file];
    }
    const { bind } = this.require('jest-each');
    const { expect } = this.require('expect');
    const { format } = this.require('pretty-format');
    const tests = new Map();
    let names = [];
    const it = (name, run) => {
      const id = [...names, name].join(' ');
      tests.set(tests.has(id) ? `${id} #${tests.size}` : id, { run, fileName: names[0] });
    };
    const describe = (name, body) => {
      names.push(name);
      body();
      names.pop();
    };
    it.each = bind(it);
    describe.each = bind(describe, false);
    expect.extend({
      toMatchInlineSnapshot: (received, snapshot) => ({
        pass: plain(format(received, { escapeString: false, printBasicPrototype: false })) === plain(snapshot),
        message: () => 'it is not as it was',
      }),
    });
    Object.assign(globalThis, { describe, it, test: it, expect });
    for (const file of readdirSync(join(this.root, DOMAIN), { recursive: true }).sort()) {
      if (!file.endsWith('.spec.ts')) continue;
      names = [join(DOMAIN, file)];
      this.require(join(this.root, DOMAIN, file));
    }
    this.tests = tests;
  }

  async dryRun({ coverageAnalysis }) {
    const stryker = (globalThis.__stryker__ ??= {});
    const tests = [];
    for (const [id, { fileName }] of this.tests) {
      if (coverageAnalysis === 'perTest') stryker.currentTestId = id;
      const from = performance.now();
      const failureMessage = await this.failure(id);
      const timeSpentMs = performance.now() - from;
      this.times.set(id, timeSpentMs);
      const status = failureMessage === undefined ? SUCCESS : FAILED;
      tests.push({ id, name: id, fileName: join(this.root, fileName), timeSpentMs, status, failureMessage });
    }
    stryker.currentTestId = undefined;
    return { status: 'complete', tests, mutantCoverage: stryker.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, sandboxFileName }) {
    const stryker = (globalThis.__stryker__ ??= {});
    const beside = dirname(relative(this.root, sandboxFileName));
    const far = (id) => (dirname(this.tests.get(id).fileName) === beside ? 0 : 1);
    const cost = (id) => this.times.get(id) ?? 0;
    const ids = [...(testFilter ?? this.tests.keys())].sort((a, b) => far(a) - far(b) || cost(a) - cost(b));
    const judge = async () => {
      Object.assign(stryker, { activeMutant: activeMutant.id, hitLimit, hitCount: hitLimit ? 0 : undefined });
      try {
        for (const id of ids) {
          const failureMessage = await this.failure(id);
          if (failureMessage === FOR_EVER || stryker.hitCount > hitLimit) return { status: 'timeout', killedBy: [id] };
          if (failureMessage !== undefined) return { status: 'killed', killedBy: [id], failureMessage, nrOfTests: 1 };
        }
        return { status: 'survived', nrOfTests: ids.length };
      } finally {
        Object.assign(stryker, { activeMutant: undefined, hitLimit: undefined, hitCount: undefined });
      }
    };
    const verdict = await judge();
    // What fails without the mutant too fails by what an earlier one left behind in the memory of a module.
    if (verdict.status !== 'survived' && (await this.failure(verdict.killedBy[0])) !== undefined) {
      this.load();
      return judge();
    }
    return verdict;
  }

  /** Why a test fails, or undefined. What takes far longer than it did without mutants goes on for ever. */
  async failure(id) {
    const took = this.times.get(id) ?? 1_000;
    globalThis.currentTest = this.tests.get(id).run;
    try {
      await runTest.runInThisContext({ timeout: 3_000 + Math.ceil(20 * took) });
      return undefined;
    } catch (error) {
      return error?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT' ? FOR_EVER : String(error?.message ?? error);
    }
  }
}

const plain = (text) => text.replace(/^\s+|\s+$/gm, '');

/** Functions whose first argument only goes into such a text. */
const TEXTS = ['invalid', 'incomplete', 'text', 'oneOf', 'count', 'atMost'];

/** What an error says is for people, who may hear it in other words; the specs compare its code and details. */
const messages = {
  shouldIgnore({ key, listKey, parent }) {
    if (listKey !== 'arguments') return undefined;
    const { name } = parent.callee;
    const makes = parent.type === 'NewExpression' ? /Error$/.test(name) : TEXTS.includes(name);
    return makes && key === (name === 'DomainError' ? 1 : 0) ? 'the text of an error is for people' : undefined;
  },
};

export const strykerPlugins = [
  { kind: 'TestRunner', name: 'one-process', injectableClass: OneProcess },
  { kind: 'Ignore', name: 'messages', value: messages },
];
