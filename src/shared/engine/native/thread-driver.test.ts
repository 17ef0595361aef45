import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'tap';

/** A thread of the native loop which does what a message names. */
const PROGRAM = `
  import { parentPort, workerData } from 'node:worker_threads';
  if (workerData.hidesContinuations) process._tickCallback = undefined;
  const { createThreadNativeEngine } = await import(process.env.ENGINE_MODULE);
  const { engine, clock } = createThreadNativeEngine({ onAcceptError() {} });
  const echo = channel => channel.setHandler({
    onData(slice) { channel.write(slice); },
    onEnd() {}, onDrain() {}, onClose() {},
  });
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, echo);
  // A byte that is sent to and fro for ever.
  if (workerData.isBusy) {
    const channel = await engine.connect({ remote: listener.address, timeoutMs: 5000 });
    echo(channel);
    channel.write(Buffer.from('x'));
  }
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
    'a continuation': () => Promise.resolve().then(() => Promise.resolve()).then(done),
    'a tick': () => process.nextTick(() => process.nextTick(done)),
    'an error that nobody catches': () => {
      process.once('uncaughtException', () => clock.setTimer(1, done));
      clock.setTimer(1, () => process.nextTick(() => { throw new Error('thrown'); }));
    },
  };
  parentPort.on('message', way => (way === 'end' ? process.exit(0) : ways[way]()));
  parentPort.postMessage('ready');
`;

const WAYS = [
  'a message',
  'an immediate',
  'an immediate that a continuation asks for',
  'immediates one after the other',
  'a timer of the clock',
  'a timer of the runtime',
  'a continuation',
  'a tick',
  'an error that nobody catches',
];

for (const [sentence, workerData] of [
  ['a thread that waits for descriptors, none of which wakes it', {}],
  ['a thread whose connections always have something to say', { isBusy: true }],
  ['one whose runtime does not run continuations when asked', { isBusy: true, hidesContinuations: true }],
] as const)
  test(`${sentence}, answers to`, async t => {
    const worker = new Worker(PROGRAM, {
      eval: true,
      workerData,
      execArgv: ['--disable-warning=ExperimentalWarning', '--input-type=module'],
      env: { ...process.env, ENGINE_MODULE: new URL('native-engine.ts', import.meta.url).href },
    });
    t.teardown(() => worker.terminate());
    await once(worker, 'message');
    for (const way of WAYS) {
      worker.postMessage(way);
      t.strictSame(await once(worker, 'message'), ['done'], way);
    }
    worker.postMessage('end');
    t.strictSame(await once(worker, 'exit'), [0]);
  });
