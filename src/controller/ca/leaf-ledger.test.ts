import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { LeafJournal } from './leaf-journal.ts';
import { LeafLedger } from './leaf-ledger.ts';

const MINUTE_MS = 60_000;

test('a holder counts for its newest leaf, and until that ends', t => {
  const clock = new FakeClock();
  const ledger = new LeafLedger(clock, 0);
  const notAfterMs = clock.now() + MINUTE_MS;
  ledger.record('node-a', 'orders', { signer: 'old', notAfterMs });
  ledger.record('node-b', 'orders', { signer: 'old', notAfterMs });
  t.equal(ledger.othersThan('new'), 2);
  ledger.record('node-a', 'orders', { signer: 'new', notAfterMs });
  t.equal(ledger.othersThan('new'), 1);
  clock.advance(MINUTE_MS + 1);
  t.equal(ledger.othersThan('new'), 0, 'the other one has ended');
  t.end();
});

test('while leaves of an earlier process may live it does not know', t => {
  const clock = new FakeClock();
  const ledger = new LeafLedger(clock, clock.now() + MINUTE_MS);
  t.equal(ledger.othersThan('new'), undefined);
  clock.advance(MINUTE_MS + 1);
  t.equal(ledger.othersThan('new'), 0);
  t.end();
});

test('leaves that seem to have ended while the clock was wrong are known again once it is set back', t => {
  const clock = new FakeClock();
  const ledger = new LeafLedger(clock, 0);
  ledger.record('node-a', 'orders', { signer: 'old', notAfterMs: clock.now() + MINUTE_MS });
  clock.jumpWallClock(300 * MINUTE_MS);
  t.equal(ledger.othersThan('new'), 0);
  clock.jumpWallClock(-300 * MINUTE_MS);
  t.equal(ledger.othersThan('new'), 1);
  t.end();
});

test('leaves that have ended are swept: it does not grow with the pods there ever were', t => {
  const clock = new FakeClock();
  const ledger = new LeafLedger(clock, 0);
  for (let i = 0; i < 5_000; i++) {
    ledger.record('node', `pod-${i}`, { signer: 'a', notAfterMs: clock.now() + MINUTE_MS });
    clock.advance(1_000);
  }
  t.ok((ledger.othersThan('b') ?? 0) <= 61);
  t.end();
});

interface Machine {
  readonly clock: FakeClock;
  readonly path: string;
  bootId: string;
  /** What the journals of this machine have said of themselves. */
  readonly said: (string | undefined)[];
}

function machine(t: Test): Machine {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-leaves-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return { clock: new FakeClock(), path: join(directory, 'data', 'leaves.jsonl'), bootId: 'one', said: [] };
}

/** Of a process that starts. `unknownUntilMs` as the state of the CA has it. */
function open({ bootId, clock, path, said }: Machine, unknownUntilMs = 0): LeafLedger {
  const onState = (failure: string | undefined): void => void said.push(failure);
  return new LeafLedger(clock, unknownUntilMs, new LeafJournal({ path, clock, onState, bootId }));
}

test('a process that is killed leaves a journal that the next one believes', t => {
  const it = machine(t);
  const { clock, path } = it;
  const unknownUntilMs = clock.now() + MINUTE_MS;
  const notAfterMs = clock.now() + 10 * MINUTE_MS;
  const first = open(it, unknownUntilMs);
  first.record('node-a', 'orders', { signer: 'old', notAfterMs });
  t.equal(
    open(it, unknownUntilMs).othersThan('new'),
    undefined,
    'no journal while leaves live that would not be in it',
  );
  clock.advance(MINUTE_MS + 1);
  first.record('node-b', 'orders', { signer: 'old', notAfterMs });
  first.record('node-b', 'orders', { signer: 'new', notAfterMs });
  appendFileSync(path, '{"key":"torn');
  const later = clock.now() + MINUTE_MS;
  t.equal(open(it, later).othersThan('new'), 1, 'both are known, the torn line is not');
  t.equal(readFileSync(path, 'utf8').split('\n').length, 4, 'written anew at the start');
  t.same(it.said, []);
  t.end();
});

test('after the machine was started anew the journal is not believed, whatever its clock says', t => {
  const it = machine(t);
  open(it).record('node-a', 'orders', { signer: 'old', notAfterMs: it.clock.now() + MINUTE_MS });
  it.bootId = 'two';
  it.clock.jumpWallClock(-5 * 60 * MINUTE_MS);
  t.equal(open(it, it.clock.now() + MINUTE_MS).othersThan('new'), undefined);
  t.end();
});

test('a journal that cannot be written is not left with a gap, and is whole again when it can', t => {
  const it = machine(t);
  const directory = dirname(it.path);
  const ledger = open(it);
  const leaf = { signer: 'a', notAfterMs: it.clock.now() + MINUTE_MS };
  rmSync(directory, { recursive: true });
  // A file where the directory was, as nothing stops root from writing.
  writeFileSync(directory, '');
  ledger.record('node', 'one', leaf);
  ledger.record('node', 'two', leaf);
  t.match(it.said, [/ENOTDIR/], 'told once');
  t.equal(open(it, it.clock.now() + MINUTE_MS).othersThan('b'), undefined, 'another process does not know');
  it.said.length = 0;
  rmSync(directory);
  it.clock.advance(9_999);
  ledger.record('node', 'three', leaf);
  t.throws(() => readFileSync(it.path), { code: 'ENOENT' });
  it.clock.advance(1);
  ledger.record('node', 'four', leaf);
  t.same(it.said, [undefined]);
  t.equal(open(it, it.clock.now() + MINUTE_MS).othersThan('b'), 4, 'those of the gap too');
  t.end();
});
