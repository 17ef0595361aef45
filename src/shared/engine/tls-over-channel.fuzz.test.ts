import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { fuzzAsync } from '../testing/fuzz-run.ts';
import { type MemoryChannel, type MemoryChannelPair, memoryChannelPair } from '../testing/memory-channel.ts';
import { createTestCa } from '../testing/test-ca.ts';
import { type ByteChannel, ChannelError, type ChannelHandler } from './channel.ts';
import type { EngineOptions } from './engine-options.ts';
import type { Engine, SecureChannel, TlsContext } from './engine.ts';
import { LINGER_MS } from './close-gently.ts';
import { createSharedNativeEngine } from './native/native-engine.ts';
import { ChannelDuplex } from './node/channel-duplex.ts';
import { createNodeEngine } from './node/node-engine.ts';

/**
 * TLS over byte channels against servers of `node:tls`, several at once: both sides write, pause, resume, half-close and reset in
 * any order, some servers write what is no TLS, and the channels cut records anywhere and take as little at a time as they like.
 * What one side hears is a beginning of what the other said, all of it when both ended in order.
 */
const PAIRS = 3;
const MAX_TURNS = 10_000;
/** Every byte tells its place, so that lost, repeated and exchanged ones show. */
const PATTERN = Buffer.alloc(1 << 20);
for (let i = 0; i < PATTERN.length; i += 4) PATTERN.writeUInt32LE(i, i);

/** What one side has said and heard. */
class Tally {
  said = 0;
  heard = 0;
  ended = false;
  heardEnd = false;
  aborted = false;
  raved = false;
  closes = 0;
  error: Error | undefined;
  fault: string | undefined;

  next(bytes: number): Buffer | undefined {
    const room = Math.min(bytes, PATTERN.length - this.said);
    if (this.ended || this.aborted || this.closes > 0 || room <= 0) return undefined;
    this.said += room;
    return PATTERN.subarray(this.said - room, this.said);
  }

  hear(slice: Buffer): void {
    if (this.heardEnd || this.closes > 0) this.fault = 'data behind the end';
    if (!slice.equals(PATTERN.subarray(this.heard, this.heard + slice.length)))
      this.fault = `other bytes than were sent, from ${this.heard}`;
    this.heard += slice.length;
  }

  hearEnd(): void {
    if (this.heardEnd) this.fault = 'two ends';
    this.heardEnd = true;
  }
}

interface Side {
  readonly tally: Tally;
  write(slice: Buffer): void;
  pause(): void;
  resume(): void;
  end(): void;
  abort(): void;
  /** Bytes that are no TLS. */
  rave(): void;
}

const ABORTED = new ChannelError('aborted', 'the model says so');

/** The engine's. */
class Near implements Side, ChannelHandler {
  readonly tally = new Tally();
  readonly #channel: ByteChannel;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
    channel.setHandler(this);
  }

  write(slice: Buffer): void {
    this.#channel.write(slice);
  }

  pause(): void {
    this.#channel.pause();
  }

  resume(): void {
    this.#channel.resume();
  }

  end(): void {
    this.#channel.end();
  }

  abort(): void {
    this.#channel.abort(ABORTED);
  }

  rave(): void {}

  onData(slice: Buffer): void {
    this.tally.hear(slice);
  }

  onEnd(): void {
    this.tally.hearEnd();
  }

  onDrain(): void {}

  onClose(error: ChannelError | undefined): void {
    this.tally.closes++;
    this.tally.error = error;
  }
}

/** The server of `node:tls`. */
function far(socket: TLSSocket, channel: MemoryChannel): Side {
  const tally = new Tally();
  socket.on('data', (slice: Buffer) => tally.hear(slice));
  socket.on('end', () => tally.hearEnd());
  socket.on('error', error => (tally.error ??= error));
  socket.on('close', () => tally.closes++);
  return {
    tally,
    write: slice => void socket.write(slice),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    abort: () => channel.abort(ABORTED),
    rave() {
      tally.raved = true;
      channel.write(PATTERN.subarray(0, 2_000));
    },
  };
}

const bytes = fc.oneof(fc.nat(20), fc.nat(3_000), fc.nat(200_000));
const step = fc.record({
  pair: fc.nat(PAIRS - 1),
  side: fc.nat(1),
  action: fc.oneof(
    { weight: 18, arbitrary: fc.record({ kind: fc.constant('write' as const), bytes }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('abort' as const, 'rave' as const) }) },
  ),
  turns: fc.nat(3),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function act(side: Side, action: Step['action']): void {
  const { tally } = side;
  switch (action.kind) {
    case 'write': {
      const slice = tally.next(action.bytes);
      if (slice !== undefined) side.write(slice);
      return;
    }
    case 'pause':
    case 'resume':
      return side[action.kind]();
    case 'end':
      tally.ended = true;
      return side.end();
    case 'abort':
      tally.aborted = true;
      return side.abort();
    case 'rave':
      return side.rave();
  }
}

async function turn(): Promise<void> {
  await new Promise<void>(resolve => setImmediate(resolve));
}

function isClosed({ tally }: Side): boolean {
  return tally.closes > 0;
}

function isDisturbed(pair: readonly Side[]): boolean {
  return pair.some(({ tally }) => tally.aborted || tally.raved);
}

async function until(ready: () => boolean, otherwise: string): Promise<void> {
  for (let i = 0; !ready(); i++) {
    if (i > MAX_TURNS) throw new Error(otherwise);
    await turn();
  }
}

function check(one: Tally, other: Tally): void {
  if (one.fault !== undefined) throw new Error(one.fault);
  if (one.closes !== 1) throw new Error(`closed ${one.closes} times`);
  if (one.heard > other.said) throw new Error('more was heard than said');
  if (one.aborted || other.aborted || one.raved || other.raved) return;
  if (one.error !== undefined) throw one.error;
  if (!one.heardEnd || one.heard !== other.said) throw new Error(`heard ${one.heard} of ${other.said}`);
}

async function play(
  clock: FakeClock,
  pairs: readonly (readonly [Side, Side])[],
  steps: readonly Step[],
): Promise<void> {
  for (const { pair, side, action, turns } of steps) {
    const actor = pairs[pair]?.[side];
    if (actor !== undefined) act(actor, action);
    for (let i = 0; i < turns; i++) await turn();
  }
  const sides = pairs.flat();
  for (const side of sides) {
    side.resume();
    side.tally.ended = true;
    side.end();
  }
  const orderly = pairs.filter(pair => !isDisturbed(pair)).flat();
  await until(() => orderly.every(isClosed), 'a connection that was ended does not close');
  await until(() => {
    clock.advance(LINGER_MS);
    return sides.every(isClosed) && clock.pendingTimers === 0;
  }, 'what was disturbed does not close');
  for (const [a, b] of pairs) {
    check(a.tally, b.tally);
    check(b.tally, a.tally);
  }
}

const ca = await createTestCa();
const material = await ca.issue('spiffe://cluster.local/ns/a/sa/b', { serverNames: ['api.example'] });
const secureContext = createSecureContext({ cert: material.certChainPem, key: material.privateKeyPem });
const shape = fc.record({
  fragments: fc.array(fc.oneof(fc.nat(9), fc.nat(2_000), fc.nat(200_000)), { minLength: 1, maxLength: 20 }),
  highWaterBytes: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.constant(1 << 20)),
  readsAreOwned: fc.boolean(),
});
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

const PLAIN: Shape = { fragments: [1 << 20], highWaterBytes: 1 << 20, readsAreOwned: false };

function channelOf({ fragments, ...options }: Shape): MemoryChannelPair {
  let next = 0;
  // Of much never a byte at a time: a run would take seconds.
  const fragment = (available: number): number =>
    Math.max(available >> 8, 1 + (fragments[next++ % fragments.length] ?? 0));
  return memoryChannelPair({ ...options, auto: true, fragment });
}

const OPTIONS = {
  alpn: [],
  timeoutMs: 5_000,
  verifyPeer: true,
  server: { serverName: 'api.example', names: ['api.example'] },
};

interface Lab {
  readonly engine: Engine;
  readonly context: TlsContext;
  readonly clock: FakeClock;
}

/** For each property: where the time of one is over, its last run goes on beside the next. */
function newLab(create: (options: EngineOptions) => Engine): Lab {
  const clock = new FakeClock();
  const engine = create({
    clock: {
      // Certificates do not expire while timers fire.
      now: () => Date.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs, fn) => clock.setTimer(delayMs, fn),
    },
  });
  const trusting = { trustedRootsPem: ca.rootPem, revocationListsPem: '', client: undefined };
  return { engine, context: engine.createForeignTlsContext(trusting), clock };
}

function secure({ context, engine }: Lab, channel: ByteChannel): Promise<SecureChannel> {
  return engine.secureClientOver(channel, context, OPTIONS, channel.remoteAddress);
}

function serverOver(channel: ByteChannel, clock: FakeClock): TLSSocket {
  return new TLSSocket(new ChannelDuplex(channel, clock), { isServer: true, secureContext });
}

async function connect(lab: Lab, of: Shape): Promise<[Side, Side]> {
  const { left, right } = channelOf(of);
  const socket = serverOver(right, lab.clock);
  const served = new Promise(resolve => socket.once('secure', resolve));
  const server = far(socket, right);
  const secured = await secure(lab, left);
  await served;
  return [new Near(secured), server];
}

for (const [name, create] of [
  ['native', createSharedNativeEngine],
  ['node', createNodeEngine],
] as const) {
  test(`fuzz: ${name}: what is heard is what was said, whatever the channel below does`, async t => {
    const lab = newLab(create);
    // The first connection of a process takes its time, which is not to be that of the runs.
    await play(lab.clock, [await connect(lab, PLAIN)], []);
    const shapes = fc.array(shape, { minLength: PAIRS, maxLength: PAIRS });
    await fuzzAsync(
      fc.asyncProperty(shapes, fc.array(step, { maxLength: 40 }), async (of, steps) =>
        play(lab.clock, await Promise.all(of.map(one => connect(lab, one))), steps),
      ),
      2,
    );
    t.pass();
  });

  test(`fuzz: ${name}: what answers and is no server of TLS is refused`, async t => {
    const lab = newLab(create);
    const flight = await firstFlight();
    const answer = fc.oneof(
      fc.uint8Array({ maxLength: 3_000 }).map(noise => Buffer.from(noise)),
      fc
        .record({ at: fc.nat(flight.length - 1), byte: fc.integer({ min: 1, max: 255 }) })
        .map(({ at, byte }) => {
          const changed = Buffer.from(flight);
          changed.writeUInt8(changed.readUInt8(at) ^ byte, at);
          return changed;
        }),
      fc.nat(flight.length).map(end => flight.subarray(0, end)),
    );
    await fuzzAsync(
      fc.asyncProperty(shape, answer, fc.boolean(), async (of, bytes, ends) => {
        const { left, right } = channelOf(of);
        right.setHandler({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
        right.write(bytes);
        const attempt = secure(lab, left);
        if (ends) right.end();
        else queueMicrotask(() => right.abort(ABORTED));
        const outcome = await attempt.catch((error: unknown) => error);
        if (!(outcome instanceof ChannelError) || outcome.code !== 'tls_handshake')
          throw new Error(String(outcome));
        lab.clock.advance(LINGER_MS);
        await until(() => lab.clock.pendingTimers === 0, 'a timer is left');
      }),
      2,
    );
    t.pass();
  });
}

/** What a server says first, to another client. */
async function firstFlight(): Promise<Buffer> {
  const client = memoryChannelPair({ auto: true });
  const server = memoryChannelPair({ auto: true });
  const said: Buffer[] = [];
  const quiet = { onEnd() {}, onDrain() {}, onClose() {} };
  client.right.setHandler({ ...quiet, onData: slice => void server.left.write(slice) });
  server.left.setHandler({
    ...quiet,
    onData(slice) {
      said.push(Buffer.from(slice));
      client.right.write(slice);
    },
  });
  const clock = new FakeClock();
  serverOver(server.right, clock);
  const socket = connectTls({ socket: new ChannelDuplex(client.left, clock), rejectUnauthorized: false });
  await new Promise(resolve => socket.once('secureConnect', resolve));
  return Buffer.concat(said);
}
