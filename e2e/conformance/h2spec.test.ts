import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { test } from 'tap';
import { createTestEngine } from '#shared/testing/engine.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import type { Http2Options } from '#shared/http2/options.ts';
import type { Http2Stream } from '#shared/http2/stream.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { installH2spec } from './h2spec-install.ts';

/** Runs h2spec, the conformance suite for HTTP/2 servers, against ours, strict cases included. */

const run = promisify(execFile);

/** Cases of the run with our default options that need not pass, and why. All others must. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  [
    'Sends a large size HEADERS frame that exceeds the SETTINGS_MAX_FRAME_SIZE',
    'it sends 20 KB on the assumption that 16 KiB are accepted; we announce 1 MiB. Run below with 16 KiB announced.',
  ],
]);

function answer(stream: Http2Stream) {
  return {
    onHeaders() {},
    onData: (slice: Buffer) => stream.consume(slice.length),
    onEnd() {
      stream.sendHeaders([':status', '200', 'content-type', 'text/plain'], false);
      stream.sendData(Buffer.from('hello world'), true);
    },
    onReset() {},
    onDrain() {},
  };
}

interface Outcome {
  readonly failed: readonly string[];
  readonly passed: number;
  readonly output: string;
}

async function runH2spec(
  path: string,
  options: Partial<Http2Options>,
  args: readonly string[],
): Promise<Outcome> {
  const engine = createTestEngine({ clock: systemClock });
  const open = new Set<Http2Connection>();
  const serve = (channel: TcpChannel): void => {
    const connection = new Http2Connection('server', channel, systemClock, options, {
      onStream: answer,
      onGoaway() {},
      onCapacity() {},
      onClose: () => open.delete(connection),
    });
    open.add(connection);
  };
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, serve);
  try {
    const address = ['-h', listener.address.ip, '-p', String(listener.address.port)];
    const output = await outputOf(path, [...address, '-S', '-o', '2', ...args]);
    const failures = output.split('\nFailures:')[1] ?? '';
    const failed = Array.from(failures.matchAll(/× \d+: (.+)/g), match => match[1] ?? '');
    return { failed, passed: Number(/(\d+) passed/.exec(output)?.[1] ?? 0), output };
  } finally {
    for (const connection of open) connection.close(0, 'test over');
    await listener.close();
  }
}

/** h2spec says by its exit status that a case failed; the output says which. */
async function outputOf(path: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(path, args, { timeout: 100_000 })).stdout;
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string') return error.stdout;
    throw error;
  }
}

const installed = await installH2spec('h2spec');
const path = 'path' in installed ? installed.path : '';
const skip = 'reason' in installed ? installed.reason : false;

test('h2spec: every case passes but for the named exceptions', { skip }, async t => {
  const all = await runH2spec(path, {}, []);
  t.same(
    all.failed.filter(name => !EXCEPTIONS.has(name)),
    [],
    'no other case fails',
  );
  t.ok(all.passed >= 145, `${all.passed} passed`);
  const small = await runH2spec(path, { maxFrameBytes: 16_384 }, ['http2/4.2']);
  t.same([small.failed, small.passed], [[], 3], 'frame sizes, with 16 KiB announced');
});
