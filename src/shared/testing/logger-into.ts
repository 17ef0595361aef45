import { createLogger, type LogLevel, type Logger, LogLevels } from '../observability/logger.ts';

export interface LinesOptions {
  readonly scope?: string;
  readonly level?: LogLevel;
  readonly now?: () => number;
}

/** For tests that read the log: its lines are added to these. */
export function loggerInto(lines: string[], options: LinesOptions = {}): Logger {
  const { level = 'info', now = () => 0, scope = 'test' } = options;
  return createLogger({
    scope,
    levels: new LogLevels(level),
    format: 'text',
    writer: { writeLine: line => void lines.push(line) },
    now,
  });
}
