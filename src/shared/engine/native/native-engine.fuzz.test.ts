import fc from 'fast-check';
import { test } from 'tap';
import { systemClock } from '../../lifecycle/clock.ts';
import { fuzzAsync } from '../../testing/fuzz-run.ts';
import { tcpPair, tlsPair } from '../../testing/loopback.ts';
import { createTestCa } from '../../testing/test-ca.ts';
import { type ByteChannel, ChannelError, type ChannelHandler } from '../channel.ts';
import { createSharedNativeEngine } from './native-engine.ts';

/**
 * The loop against a model: several connections, on which both sides write, pause, resume, half-close and reset in any
 * order. Whatever happens, what one side hears is a beginning of what the other said, all of it when both ended in order.
 */
const PAIRS = 3;
const MAX_TURNS = 100_000;

/** Every byte tells its place, so that lost, repeated and exchanged ones show. */
const PATTERN = Buffer.alloc(1 << 20);
for (let i = 0; i < PATTERN.length; i += 4) PATTERN.writeUInt32LE(i, i);

class Side implements ChannelHandler {
  readonly channel: ByteChannel;
  said = 0;
  heard = 0;
  ended = false;
  heardEnd = false;
  aborted = false;
  closes = 0;
  error: ChannelError | undefined;
  fault: string | undefined;

  constructor(channel: ByteChannel) {
    this.channel = channel;
    channel.setHandler(this);
  }

  say(bytes: number): void {
    const room = Math.min(bytes, PATTERN.length - this.said);
    if (this.ended || this.aborted || this.closes > 0 || room <= 0) return;
    this.channel.write(PATTERN.subarray(this.said, this.said + room));
    this.said += room;
  }

  onData(slice: Buffer): void {
    if (this.heardEnd || this.closes > 0) this.fault = 'data behind the end';
    if (!slice.equals(PATTERN.subarray(this.heard, this.heard + slice.length)))
      this.fault = `other bytes than were sent, from ${this.heard}`;
    this.heard += slice.length;
  }

  onEnd(): void {
    if (this.heardEnd) this.fault = 'two ends';
    this.heardEnd = true;
  }

  onDrain(): void {}

  onClose(error: ChannelError | undefined): void {
    this.closes++;
    this.error = error;
  }
}

const bytes = fc.oneof(fc.nat(20), fc.nat(3_000), fc.nat(200_000));
const step = fc.record({
  pair: fc.nat(PAIRS - 1),
  side: fc.nat(1),
  action: fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), bytes }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('end' as const, 'abort' as const) }) },
  ),
  turns: fc.nat(3),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function act(side: Side, action: Step['action']): void {
  switch (action.kind) {
    case 'write':
      return side.say(action.bytes);
    case 'pause':
      return side.channel.pause();
    case 'resume':
      return side.channel.resume();
    case 'end':
      side.ended = true;
      return side.channel.end();
    case 'abort':
      side.aborted = true;
      return side.channel.abort(new ChannelError('aborted', 'the model says so'));
  }
}

async function turn(): Promise<void> {
  await new Promise<void>(resolve => setImmediate(resolve));
}

function check(near: Side, far: Side): void {
  if (near.fault !== undefined) throw new Error(near.fault);
  if (near.closes !== 1) throw new Error(`closed ${near.closes} times`);
  if (near.heard > far.said) throw new Error('more was heard than said');
  if (near.aborted || far.aborted) return;
  if (near.error !== undefined) throw near.error;
  if (!near.heardEnd || near.heard !== far.said) throw new Error(`heard ${near.heard} of ${far.said}`);
}

async function play(pairs: [Side, Side][], steps: readonly Step[]): Promise<void> {
  for (const { pair, side, action, turns } of steps) {
    const actor = pairs[pair]?.[side];
    if (actor !== undefined) act(actor, action);
    for (let i = 0; i < turns; i++) await turn();
  }
  const sides = pairs.flat();
  for (const side of sides) {
    side.channel.resume();
    side.ended = true;
    side.channel.end();
  }
  for (let i = 0; sides.some(side => side.closes === 0); i++) {
    if (i > MAX_TURNS) throw new Error('a connection that was ended does not close');
    await turn();
  }
  for (const [a, b] of pairs) {
    check(a, b);
    check(b, a);
  }
}

const engine = createSharedNativeEngine({ clock: systemClock });
const ca = await createTestCa();
const context = engine.createTlsContext(await ca.issue('spiffe://cluster.local/ns/a/sa/b'));

for (const [name, connect] of [
  ['TCP', () => tcpPair(engine)],
  ['TLS', () => tlsPair(engine, { client: context, server: context })],
] as const) {
  test(`${name}: what is heard is what was said, whatever both sides do`, async t => {
    await fuzzAsync(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
        const pairs: [Side, Side][] = [];
        for (let i = 0; i < PAIRS; i++) {
          const { client, server } = await connect();
          pairs.push([new Side(client), new Side(server)]);
        }
        await play(pairs, steps);
      }),
      2,
    );
    t.pass();
  });
}
