export {
  Config,
  InvalidConfiguration,
  configurationTable,
  loadConfig,
  maskPassword,
  printableConfig,
  settings,
} from './config';
export { createLogger, type Logger } from './logging';
export { collectProcessMetrics, registry } from './metrics';
export { type CommandOutcome, type Observation, observeCommand } from './commands';
export { newId } from './ids';
export { Clock, SystemClock } from './clock';
export { openDatabase, pipelinedTransaction, readAtOnce, type Database, type DatabaseOptions } from './database';
export { inTime } from './in-time';
