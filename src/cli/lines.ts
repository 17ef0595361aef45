import type { Readable } from 'node:stream';

const MAX_LINE_BYTES = 1024 * 1024;

/** Calls for each line of a text stream, the last one without its newline too. Ends quietly when `signal` is aborted. */
export async function eachLine(
  stream: Readable,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let rest = '';
  stream.setEncoding('utf8');
  try {
    for await (const chunk of stream) {
      rest += String(chunk);
      const lines = rest.split('\n');
      rest = (lines.pop() ?? '').slice(0, MAX_LINE_BYTES);
      for (const line of lines) onLine(line);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (rest !== '') onLine(rest);
}
