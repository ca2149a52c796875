/** Mutation tests of the domain: npm run check:mutants [-- --mutate libs/billing-domain/src/money.ts]. Takes long, so it is no part of `npm test`. */
export default {
  plugins: ['./test/mutation/one-process.mjs'],
  testRunner: 'one-process',
  // The text of an error is for people: what callers and specs hold on to is its code and its details.
  ignorers: ['messages'],
  coverageAnalysis: 'perTest',
  mutate: ['libs/billing-domain/src/**/*.ts', '!**/*.spec.ts', '!**/*.fixture.ts', '!**/events.ts', '!**/index.ts'],
  ignoreStatic: true,
  concurrency: 2,
  timeoutMS: 60_000,
  thresholds: { high: 95, low: 90, break: 85 },
  reporters: ['clear-text', 'progress-append-only', 'json'],
  jsonReporter: { fileName: 'coverage/mutation.json' },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  tempDirName: '.stryker-tmp',
  ignorePatterns: ['dist', 'docs', 'coverage', '.data'],
};
