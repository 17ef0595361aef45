import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
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

test('a process that is killed leaves a journal that the next one believes', t => {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-leaves-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'leaves.jsonl');
  const open = (clock: FakeClock): LeafLedger =>
    new LeafLedger(clock, clock.now() + MINUTE_MS, new LeafJournal(path, reason => t.fail(reason)));
  const clock = new FakeClock(Date.now());
  const notAfterMs = clock.now() + 10 * MINUTE_MS;

  const first = open(clock);
  first.record('node-a', 'orders', { signer: 'old', notAfterMs });
  t.equal(open(clock).othersThan('new'), undefined, 'no journal while leaves live that would not be in it');
  clock.advance(MINUTE_MS + 1);
  first.record('node-b', 'orders', { signer: 'old', notAfterMs });
  first.record('node-b', 'orders', { signer: 'new', notAfterMs });
  appendFileSync(path, '{"key":"torn');
  t.equal(open(clock).othersThan('new'), 1, 'both are known, the torn line is not');
  t.equal(readFileSync(path, 'utf8').split('\n').length, 3, 'written anew at the start');

  utimesSync(path, 1, 1);
  t.equal(open(clock).othersThan('new'), undefined, 'not after the machine was started');
  t.end();
});

test('a journal that cannot be written is not left with a gap', t => {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-leaves-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const clock = new FakeClock(Date.now());
  const reasons: string[] = [];
  const path = join(directory, 'leaves.jsonl');
  const ledger = new LeafLedger(clock, 0, new LeafJournal(path, reason => void reasons.push(reason)));
  const leaf = { signer: 'a', notAfterMs: clock.now() + MINUTE_MS };
  rmSync(directory, { recursive: true });
  ledger.record('node', 'one', leaf);
  t.match(reasons, [/ENOENT/]);
  mkdirSync(directory);
  ledger.record('node', 'two', leaf);
  t.throws(() => readFileSync(path), { code: 'ENOENT' });
  t.equal(ledger.othersThan('b'), 2, 'the process itself knows');
  t.end();
});
