import { createLogger, LogLevels } from '../observability/logger.ts';

/** For tests that do not look at the log. */
export const quietLogger = createLogger({
  scope: 'test',
  levels: new LogLevels('error'),
  format: 'text',
  writer: { writeLine: () => undefined },
  now: () => 0,
});
