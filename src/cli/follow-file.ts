import { existsSync, watch } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { CliError } from './cli-error.ts';
import type { LogTail } from './proxies.ts';

const READ_BYTES = 64 * 1024;

/** The last lines of a file, and with `follow` those that are added until `signal` is aborted. */
export async function followFile(
  path: string,
  { follow, tailLines }: LogTail,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (!existsSync(path)) throw new CliError(`${path} does not exist: has the proxy started?`);
  const text = await readFile(path, 'utf8');
  const lines = text.split('\n');
  let rest = lines.pop() ?? '';
  for (const line of tailLines === 0 ? [] : lines.slice(-tailLines)) onLine(line);
  if (!follow) {
    if (rest !== '') onLine(rest);
    return;
  }
  const decoder = new StringDecoder('utf8');
  for await (const added of additions(path, Buffer.byteLength(text), signal)) {
    const [first = '', ...others] = (rest + decoder.write(added)).split('\n');
    const whole = others.length === 0 ? [] : [first, ...others.slice(0, -1)];
    rest = others.at(-1) ?? first;
    for (const line of whole) onLine(line);
  }
}

async function* additions(path: string, from: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const file = await open(path, 'r');
  const buffer = Buffer.alloc(READ_BYTES);
  let offset = from;
  try {
    while (!signal.aborted) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, offset);
      offset += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else await changed(path, signal);
    }
  } finally {
    await file.close();
  }
}

/** Until the file changes. Looks again after a second too: a change between reading and watching is not seen. */
function changed(path: string, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const watcher = watch(path);
    const done = (): void => {
      watcher.close();
      clearTimeout(again);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const again = setTimeout(done, 1_000);
    watcher.on('change', done);
    watcher.on('error', done);
    signal.addEventListener('abort', done);
  });
}
