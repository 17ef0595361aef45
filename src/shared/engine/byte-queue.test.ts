import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { ByteQueue } from './byte-queue.ts';

const KIB = 1024;

/** `bytes` bytes that tell where they were in the stream. */
function numbered(bytes: number, from: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, i) => (from + i) % 251));
}

type Step =
  | { readonly kind: 'append' | 'given'; readonly bytes: number }
  | { readonly kind: 'take'; readonly bytes: number; readonly during: readonly Step[] }
  | { readonly kind: 'clear' };

const bytes = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: 150 * KIB }));
const simple: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('append', 'given'), bytes }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' } as const) },
);
const taking: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('take' as const),
  bytes: bytes.map(n => n + 1),
  during: fc.array(
    fc.oneof(simple, fc.record({ kind: fc.constant('take' as const), bytes, during: fc.constant([]) })),
    { maxLength: 3 },
  ),
});

/** Two queues of one thread, which share memory, beside what is expected of each. */
class Lab {
  readonly #queues = [new ByteQueue(), new ByteQueue()] as const;
  readonly #expected = [Buffer.alloc(0), Buffer.alloc(0)];
  #count = 0;
  isRight = true;

  run(which: 0 | 1, step: Step): void {
    const queue = this.#queues[which];
    if (step.kind === 'clear') {
      queue.clear();
      this.#expected[which] = Buffer.alloc(0);
    } else if (step.kind === 'take') this.#take(which, queue, step.bytes, step.during);
    else {
      const slice = numbered(step.bytes, (this.#count += step.bytes));
      if (step.kind === 'given') queue.appendOwned(Buffer.from(slice));
      else queue.append(slice);
      this.#expected[which] = Buffer.concat([this.#expected[which] ?? slice, slice]);
      slice.fill(255);
    }
    if (queue.bytes !== this.#expected[which]?.length) this.isRight = false;
  }

  #take(which: 0 | 1, queue: ByteQueue, maxBytes: number, during: readonly Step[]): void {
    const expected = this.#expected[which] ?? Buffer.alloc(0);
    const slice = queue.take(maxBytes);
    if (slice === undefined) {
      if (expected.length > 0) this.isRight = false;
      return;
    }
    const seen = Buffer.from(expected.subarray(0, slice.length));
    this.#expected[which] = expected.subarray(slice.length);
    if (slice.length > maxBytes) this.isRight = false;
    // Whatever happens meanwhile, to this queue or another, what was taken stays as it is.
    for (const [i, step] of during.entries()) this.run(i % 2 === 0 ? which : which === 0 ? 1 : 0, step);
    if (!slice.equals(seen)) this.isRight = false;
    queue.release();
  }
}

test('fuzz: what goes in comes out, in order, and what was taken does not change before it is released', t => {
  const step = fc.tuple(fc.constantFrom(0 as const, 1 as const), fc.oneof(simple, taking));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const lab = new Lab();
      for (const [which, one] of steps) lab.run(which, one);
      return lab.isRight;
    }),
    fuzzRun(1),
  );
  t.end();
});

test('memory that was read is used again, by whichever queue comes next', t => {
  const first = new ByteQueue();
  first.append(Buffer.alloc(64 * KIB, 1));
  const slice = first.take(64 * KIB);
  first.release();
  const second = new ByteQueue();
  second.append(Buffer.alloc(64 * KIB, 2));
  t.equal(second.take(1)?.buffer, slice?.buffer);
  t.end();
});

test('a little that waits on many streams takes no more than it is', t => {
  const queue = new ByteQueue();
  queue.append(Buffer.alloc(100));
  t.ok(queue.takenIsOwned === false);
  queue.take(100);
  t.ok(queue.takenIsOwned, 'not memory that is lent');
  t.end();
});
