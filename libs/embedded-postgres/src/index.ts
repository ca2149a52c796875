export { startPostgres, type EmbeddedPostgres, type PostgresOptions } from './start-postgres';
