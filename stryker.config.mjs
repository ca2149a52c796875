/** Mutation tests of the domain: npm run check:mutants [-- --mutate libs/billing-domain/src/money.ts]. Takes long, so it is no part of `npm test`. */
export default {
  testRunner: 'jest',
  jest: { projectType: 'custom', configFile: 'test/mutation/jest.config.cjs', enableFindRelatedTests: true },
  coverageAnalysis: 'perTest',
  mutate: ['libs/billing-domain/src/**/*.ts', '!**/*.spec.ts', '!**/*.fixture.ts', '!**/events.ts', '!**/index.ts'],
  ignoreStatic: true,
  concurrency: 2,
  // Each run leaves hooks behind in its process: the next ones get slower and slower.
  maxTestRunnerReuse: 20,
  timeoutMS: 20_000,
  thresholds: { high: 95, low: 90, break: 85 },
  reporters: ['clear-text', 'progress-append-only', 'json'],
  jsonReporter: { fileName: 'coverage/mutation.json' },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  tempDirName: '.stryker-tmp',
  ignorePatterns: ['dist', 'docs', 'coverage', '.data'],
};
