import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { test } from 'tap';
import { LogLevels } from '../observability/logger.ts';
import { type ServedThread, serveMainThread } from './serve-main-thread.ts';

interface TestProtocol {
  readonly settings: object;
  readonly command: never;
  readonly request: never;
  readonly connections: readonly string[];
  readonly event: never;
}

async function drainReply(drain: ServedThread['drain'], flush: () => void): Promise<unknown> {
  const { port1: main, port2: worker } = new MessageChannel();
  serveMainThread<TestProtocol>({
    port: worker,
    levels: new LogLevels('info'),
    thread: { apply: () => {}, metrics: () => [], drain },
    lines: { flush },
    connections: () => [],
    measured: () => [],
    obey: () => {},
  });
  await once(main, 'message');
  main.postMessage({ kind: 'drain', id: 7, deadlineMs: 10 });
  const replies: readonly unknown[] = await once(main, 'message');
  main.close();
  return replies[0];
}

test('a drain is over when the lines of the last connections are written, also of those a turn later', async t => {
  const held: string[] = [];
  const written: string[] = [];
  const reply = await drainReply(
    () => {
      held.push('ended');
      setImmediate(() => held.push('cut'));
      return Promise.resolve();
    },
    () => written.push(...held.splice(0)),
  );
  t.strictSame(reply, { kind: 'done', id: 7, error: undefined });
  t.strictSame(written, ['ended', 'cut']);
});

test('a drain that fails says why, and its lines are written all the same', async t => {
  let flushes = 0;
  const reply = await drainReply(
    () => Promise.reject(new Error('no')),
    () => flushes++,
  );
  t.strictSame(reply, { kind: 'done', id: 7, error: 'no' });
  t.equal(flushes, 1);
});
