import { isoTime } from './iso-time.ts';
import { LineSink, type LineWriter } from './line-sink.ts';

/**
 * Scoped, levelled log. A message is a constant; what varies goes into fields, so that lines can be grouped and searched.
 * Levels can be set per scope while running (`/logging`).
 */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  trace(message: string, fields?: LogFields): void;
  /** Guard for fields that are costly to build. */
  enabled(level: LogLevel): boolean;
  child(scope: string): Logger;
}

export type LogValue = string | number | boolean | undefined;
export type LogFields = Readonly<Record<string, LogValue>>;

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = 'text' | 'json';

const RANK: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3, trace: 4 };

export function parseLogLevel(text: string): LogLevel | undefined {
  return LOG_LEVELS.find(level => level === text.toLowerCase());
}

/** Levels by scope. A scope without a level of its own takes its parent's (`ztunnel::proxy` → `ztunnel`), then the default. */
export class LogLevels {
  #default: LogLevel;
  #version = 0;
  readonly #scopes = new Map<string, LogLevel>();

  constructor(defaultLevel: LogLevel = 'info') {
    this.#default = defaultLevel;
  }

  get version(): number {
    return this.#version;
  }

  set(level: LogLevel, scope?: string): void {
    if (scope === undefined) {
      this.#default = level;
      this.#scopes.clear();
    } else {
      this.#scopes.set(scope, level);
    }
    this.#version++;
  }

  rankOf(scope: string): number {
    for (let name = scope; name !== ''; name = parentScope(name)) {
      const level = this.#scopes.get(name);
      if (level !== undefined) return RANK[level];
    }
    return RANK[this.#default];
  }

  describe(): { default: LogLevel; scopes: Record<string, LogLevel> } {
    return { default: this.#default, scopes: Object.fromEntries(this.#scopes) };
  }
}

function parentScope(scope: string): string {
  const at = scope.lastIndexOf('::');
  return at < 0 ? '' : scope.slice(0, at);
}

export interface LoggerOptions {
  readonly scope: string;
  readonly levels: LogLevels;
  readonly format: LogFormat;
  readonly writer: LineWriter;
  /** Wall clock, ms. */
  readonly now: () => number;
}

export function createLogger(options: LoggerOptions): Logger {
  return new ScopedLogger(options);
}

/** A logger for a whole process or thread: to standard output, one write a turn. */
export function createProcessLogger(
  scope: string,
  format: LogFormat,
  levels: LogLevels,
  now: () => number,
): Logger {
  return createSinkLogger({ scope, levels, format, writer: LineSink.stdout(), now });
}

/** A logger that also says, in its own format, what the sink has lost. */
export function createSinkLogger(options: LoggerOptions & { readonly writer: LineSink }): Logger {
  const logger = createLogger(options);
  options.writer.tellLossWith((lines, reason) =>
    logger.warn('lines of the log were dropped', { lines, reason }),
  );
  return logger;
}

class ScopedLogger implements Logger {
  readonly #options: LoggerOptions;
  #rank = -1;
  #rankVersion = -1;

  constructor(options: LoggerOptions) {
    this.#options = options;
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields);
  }

  trace(message: string, fields?: LogFields): void {
    this.#log('trace', message, fields);
  }

  enabled(level: LogLevel): boolean {
    const { levels, scope } = this.#options;
    if (this.#rankVersion !== levels.version) {
      this.#rank = levels.rankOf(scope);
      this.#rankVersion = levels.version;
    }
    return RANK[level] <= this.#rank;
  }

  child(scope: string): Logger {
    return new ScopedLogger({ ...this.#options, scope: `${this.#options.scope}::${scope}` });
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!this.enabled(level)) return;
    const { format, now, scope, writer } = this.#options;
    const time = isoTime(now());
    writer.writeLine(
      format === 'json'
        ? jsonLine(time, level, scope, message, fields)
        : textLine(time, level, scope, message, fields),
    );
  }
}

function jsonLine(
  time: string,
  level: string,
  scope: string,
  message: string,
  fields: LogFields | undefined,
): string {
  return JSON.stringify({ time, level, scope, message, ...fields });
}

function textLine(
  time: string,
  level: string,
  scope: string,
  message: string,
  fields: LogFields | undefined,
): string {
  let line = `${time}\t${level}\t${scope}\t${escapeText(message)}`;
  if (fields === undefined) return line;
  let separator = '\t';
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    line += `${separator}${name}=${formatLogValue(value)}`;
    separator = ' ';
  }
  return line;
}

/** Quoted when it is text that a reader could take for something else; nothing a peer sends can start a new line. */
export function formatLogValue(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  if (PLAIN.test(value)) return `"${value}"`;
  return JSON.stringify(value).replace(UNSAFE, escapeCharacter);
}

/** ASCII text that JSON changes nothing in: nearly all that is logged. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** JSON leaves DEL, C1 controls and the Unicode line separators as they are; a terminal does not. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;
// oxlint-disable-next-line no-control-regex -- control characters are what this removes
const UNSAFE_TEXT = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

function escapeText(text: string): string {
  return text.replace(UNSAFE_TEXT, escapeCharacter);
}

function escapeCharacter(c: string): string {
  return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
