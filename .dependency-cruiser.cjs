const only = (from, to) => ({
  name: `${from}-layer`,
  severity: 'error',
  comment: `libs/${from} may use of ours only: ${to.join(', ') || 'nothing'} (docs/architecture.md)`,
  from: { path: `^libs/${from}/` },
  to: { path: '^(libs|apps)/', pathNot: `^libs/(${[from, ...to].join('|')})/` },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    only('billing-domain', []),
    only('platform', []),
    only('embedded-eventstore', []),
    only('embedded-postgres', []),
    only('event-sourcing', ['platform']),
    only('billing-application', ['billing-domain', 'event-sourcing', 'platform']),
    only('billing-read-models', ['billing-domain', 'event-sourcing', 'platform']),
    only('billing-audit', [
      'billing-domain',
      'billing-application',
      'billing-read-models',
      'event-sourcing',
      'platform',
    ]),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'temporal-polyfill only in calendar.ts, uuid only in ids.ts, nothing else',
      from: { path: '^libs/billing-domain/', pathNot: '\\.spec\\.ts$' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-peer', 'core'], pathNot: 'temporal-polyfill|uuid' },
    },
    {
      name: 'temporal-only-in-calendar',
      severity: 'error',
      from: { path: '^libs/billing-domain/', pathNot: '(calendar\\.ts|\\.spec\\.ts)$' },
      to: { path: 'temporal-polyfill' },
    },
    {
      name: 'uuid-only-in-ids',
      severity: 'error',
      from: { path: '^libs/billing-domain/', pathNot: '(ids\\.ts|\\.spec\\.ts)$' },
      to: { path: 'node_modules/uuid' },
    },
    {
      name: 'one-event-store-client',
      severity: 'error',
      comment: 'only the adapter knows the client; the embedded server uses its generated definitions',
      from: {
        path: '^(libs|apps)/',
        pathNot:
          '(^libs/event-sourcing/src/(event-store|batch-append|log-reading|store-client|store-failures)\\.ts|^libs/embedded-eventstore/|\\.(spec|int-spec)\\.ts$)',
      },
      to: { path: '@eventstore/db-client' },
    },
    {
      name: 'unresolvable',
      severity: 'error',
      comment:
        'measurements run the build, which is not there before the first one; the mutation run maps a name of its own',
      from: { pathNot: '^test/mutation/fast-check\\.cjs$' },
      to: { couldNotResolve: true, pathNot: '/dist/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default', 'types'] },
  },
};
