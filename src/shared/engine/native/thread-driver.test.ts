import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'tap';

/** A thread of the native loop with a descriptor that never has anything to say, which does what a message names. */
const PROGRAM = `
  import { parentPort } from 'node:worker_threads';
  const { createThreadNativeEngine } = await import(process.env.ENGINE_MODULE);
  const { engine, clock } = createThreadNativeEngine({ onAcceptError() {} });
  await engine.listen({ ip: '127.0.0.1', port: 0 }, () => {});
  const done = () => parentPort.postMessage('done');
  const ways = {
    'a message': done,
    'an immediate': () => setImmediate(done),
    'an immediate that a continuation asks for': () => {
      clock.setTimer(1, () => Promise.resolve().then(() => Promise.resolve()).then(() => setImmediate(done)));
    },
    'immediates one after the other': () => setImmediate(() => setImmediate(() => setImmediate(done))),
    'a timer of the clock': () => clock.setTimer(5, done),
    'a timer of the runtime': () => setTimeout(done, 5),
  };
  parentPort.on('message', way => (way === 'end' ? process.exit(0) : ways[way]()));
  parentPort.postMessage('ready');
`;

for (const way of [
  'a message',
  'an immediate',
  'an immediate that a continuation asks for',
  'immediates one after the other',
  'a timer of the clock',
  'a timer of the runtime',
])
  test(`a thread that waits for descriptors answers to ${way}, though no descriptor wakes it`, async t => {
    const worker = new Worker(PROGRAM, {
      eval: true,
      execArgv: ['--disable-warning=ExperimentalWarning', '--input-type=module'],
      env: { ...process.env, ENGINE_MODULE: new URL('native-engine.ts', import.meta.url).href },
    });
    t.teardown(() => worker.terminate());
    await once(worker, 'message');
    worker.postMessage(way);
    t.strictSame(await once(worker, 'message'), ['done']);
    worker.postMessage('end');
    t.strictSame(await once(worker, 'exit'), [0]);
  });
