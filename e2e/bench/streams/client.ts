/**
 * Many tunnels on one connection, each asking and being answered at its own pace, while one more is read slowly or not there:
 * `node client.ts ENGINE PORT SECONDS TURNS`. Prints one line of JSON.
 */
import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import { HbonePool, type HboneTunnel } from '#shared/hbone/session-pool.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { issueFakeMaterial } from '../fake-material.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentilesMs } from '../l7/h2load.ts';
import { createPeerEngine } from '../peer-engine.ts';
import { BENCH_IDENTITY, SERVER_IDENTITY } from '../spiffe-ids.ts';
import { ECHO_PORT, FLOOD_PORT, STREAMS, type StreamsResult, type WindowResult } from './protocol.ts';

const MESSAGE = Buffer.alloc(128, 'm');
/** Between an answer and the next question of a stream: the connection is busy, and never full. */
const MEAN_PAUSE_MS = 500;
const SETTLE_MS = 1_500;
const SLOW_READ_BYTES = 64 * 1024;
const SLOW_PAUSE_MS = 100;

const [engineName = '', port = '', seconds = '', turns = ''] = process.argv.slice(2);
const clock = systemClock;
const engine = createPeerEngine(engineName);
const context = engine.createTlsContext(await issueFakeMaterial(BENCH_IDENTITY));
const pool = new HbonePool({
  engine,
  clock,
  random: Math.random,
  dial: (remote, signal) => engine.connect({ remote, timeoutMs: 10_000 }, signal),
  tlsContext: () => context,
  maxStreamsPerConnection: STREAMS + 1,
  // All of them ask at once.
  connectTimeoutMs: 60_000,
});
let latenciesUs: number[] = [];

function open(targetPort: number): Promise<HboneTunnel> {
  return pool.connect({
    sourceIdentity: BENCH_IDENTITY,
    destinationIdentities: [SERVER_IDENTITY],
    remote: { ip: '127.0.0.1', port: Number(port) },
    workloadUid: 'server',
    request: { host: '127.0.0.1', port: targetPort },
  });
}

function ask(channel: ByteChannel): void {
  let askedAt = 0;
  let missing = 0;
  const next = (): void => {
    setTimeout(
      () => {
        askedAt = performance.now();
        missing = MESSAGE.length;
        channel.write(MESSAGE);
      },
      Math.random() * 2 * MEAN_PAUSE_MS,
    );
  };
  channel.setHandler({
    onData: slice => {
      missing -= slice.length;
      if (missing > 0) return;
      latenciesUs.push((performance.now() - askedAt) * 1000);
      next();
    },
    onEnd: () => fail('a stream ended'),
    onDrain: () => undefined,
    onClose: error => {
      if (error !== undefined) fail(error.message);
    },
  });
  next();
}

function fail(reason: string): never {
  process.stderr.write(`streams client: ${reason}\n`);
  process.exit(1);
}

/** @returns how much it has read, and how to end it */
async function slowReader(): Promise<() => number> {
  const channel = await open(FLOOD_PORT);
  let bytes = 0;
  let sincePause = 0;
  let closed = false;
  channel.setHandler({
    onData: slice => {
      bytes += slice.length;
      sincePause += slice.length;
      if (sincePause < SLOW_READ_BYTES) return;
      sincePause = 0;
      channel.pause();
      setTimeout(() => {
        if (!closed) channel.resume();
      }, SLOW_PAUSE_MS);
    },
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => (closed = true),
  });
  return () => {
    channel.abort(new ChannelError('aborted', 'the turn is over'));
    return bytes;
  };
}

/** What is measured is the state that lasts, not the moment in which the slow reader's first window fills. */
async function measure(): Promise<WindowResult> {
  await sleep(SETTLE_MS);
  latenciesUs = [];
  await sleep(Number(seconds) * 1000);
  const [p50Ms = Number.NaN, p99Ms = Number.NaN] = percentilesMs(latenciesUs, [0.5, 0.99]);
  return { answers: latenciesUs.length, p50Ms, p99Ms };
}

// Alone first: the server has then said how many streams a connection may have.
const first = await open(ECHO_PORT);
const others = await Promise.all(Array.from({ length: STREAMS - 2 }, () => open(ECHO_PORT)));
const channels = [first, ...others];
for (const channel of channels) ask(channel);
// The compilers settle.
await measure();
const result = { without: new Array<WindowResult>(), with: new Array<WindowResult>(), slowBytes: 0 };
for (let turn = 0; turn < Number(turns); turn++) {
  result.without.push(await measure());
  const end = await slowReader();
  result.with.push(await measure());
  result.slowBytes += end();
}
const printed: StreamsResult = { connections: pool.sessions().length, ...result };
process.stdout.write(`${JSON.stringify(printed)}\n`);
process.exit(0);
