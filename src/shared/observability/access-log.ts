import { isoTime } from './iso-time.ts';
import { formatLogValue, type LogFormat } from './logger.ts';
import type { LineWriter } from './line-sink.ts';

export type AccessValue = string | number | boolean | undefined;

export interface AccessLogOptions {
  readonly format: LogFormat;
  readonly writer: LineWriter;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** `connection` at ztunnel, `request` at a waypoint. */
  readonly subject: 'connection' | 'request';
}

/**
 * One line for each connection or request, written when it ends (or is refused). Fields keep the order they are given
 * in; undefined ones are left out. Values may come from a peer: they are escaped, so no line can be forged.
 */
export class AccessLog {
  readonly #options: AccessLogOptions;

  constructor(options: AccessLogOptions) {
    this.#options = options;
  }

  /** `fields`: name, value, name, value… `level` is `error` where the connection or request failed. */
  write(level: 'info' | 'warn' | 'error', message: string, fields: readonly AccessValue[]): void {
    const { format, now, subject, writer } = this.#options;
    const time = isoTime(now());
    writer.writeLine(
      format === 'json'
        ? jsonLine(time, level, subject, message, fields)
        : textLine(time, level, subject, message, fields),
    );
  }
}

function textLine(
  time: string,
  level: string,
  subject: string,
  message: string,
  fields: readonly AccessValue[],
): string {
  let line = `${time}\t${level}\taccess\t${subject} ${message}\t`;
  let separator = '';
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1];
    if (value === undefined) continue;
    line += `${separator}${String(fields[i])}=${formatLogValue(value)}`;
    separator = ' ';
  }
  return line;
}

function jsonLine(
  time: string,
  level: string,
  subject: string,
  message: string,
  fields: readonly AccessValue[],
): string {
  const record: Record<string, string | number | boolean> = {
    time,
    level,
    scope: 'access',
    message: `${subject} ${message}`,
  };
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1];
    if (value !== undefined) record[String(fields[i])] = value;
  }
  return JSON.stringify(record);
}
