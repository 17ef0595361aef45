import type { LogWriter } from '../observability/line-sink.ts';

/** Gives each line of a log as text. */
export function lineWriter(onLine: (line: string) => void): LogWriter {
  return { writeLine: onLine, writeBytes: (bytes, length) => onLine(bytes.toString('utf8', 0, length)) };
}
