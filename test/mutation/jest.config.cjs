const config = require('../../jest.config.cjs');

/** The suites of the domain alone, which need neither a store nor a database, with fewer examples of each property. */
const [[pattern, [transformer, options]]] = Object.entries(config.transform);

module.exports = {
  ...config,
  // Mapping the stack of each failure back takes longer than the tests.
  transform: { [pattern]: [transformer, { ...options, sourceMaps: false }] },
  rootDir: '../..',
  globalSetup: undefined,
  globalTeardown: undefined,
  roots: ['<rootDir>/libs/billing-domain'],
  moduleNameMapper: {
    ...config.moduleNameMapper,
    '^fast-check$': '<rootDir>/test/mutation/fast-check.cjs',
    '^fast-check, the library$': require.resolve('fast-check'),
  },
};
