import type { EnvReader } from '#shared/config/env-reader.ts';
import { parseList } from '#shared/config/list.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel, parseLogLevel } from '#shared/observability/logger.ts';

export interface LogConfig {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly scopes: Readonly<Record<string, LogLevel>>;
}

/** `info`, or as RUST_LOG: `info,ztunnel::access=warn`. */
export function readLog(env: EnvReader): LogConfig {
  const format = env.oneOf('LOG_FORMAT', ['text', 'plain', 'json'], 'text', 'plain is text');
  const rustLog = env.string('RUST_LOG', '', 'the same as LOG_LEVEL, which wins');
  const text = env.string(
    'LOG_LEVEL',
    rustLog === '' ? 'info' : rustLog,
    'level, and levels of scopes: info,ztunnel::access=warn',
  );
  let level: LogLevel = 'info';
  const scopes: Record<string, LogLevel> = {};
  for (const part of parseList(text)) {
    const [name = '', value] = part.split('=');
    const parsed = parseLogLevel(value ?? name);
    if (parsed === undefined)
      env.reject(
        'LOG_LEVEL',
        `${JSON.stringify(part)} is not accepted; use ${LOG_LEVELS.join(', ')}, or <scope>=<level>`,
      );
    else if (value === undefined) level = parsed;
    else scopes[name] = parsed;
  }
  return { format: format === 'json' ? 'json' : 'text', level, scopes };
}
