const config = require('../../jest.config.cjs');

/** The suites of the domain alone, which need neither a store nor a database, with fewer examples of each property. */
module.exports = {
  ...config,
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
