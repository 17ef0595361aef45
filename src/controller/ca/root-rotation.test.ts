import { test } from 'tap';
import {
  type CaState,
  finish,
  prepare,
  switchOver,
  trustedAuthorities,
  withLeavesUntil,
} from './root-rotation.ts';

const record = (id: string) => ({ id, rootPem: '', rootKey: '', intermediatePem: '', intermediateKey: '' });
const OLD = record('old');
const NEW = record('new');
const HOUR = 3_600_000;
const STABLE: CaState = { phase: 'stable', active: OLD, leavesUntilMs: HOUR };
const PREPARED: CaState = {
  phase: 'prepared',
  active: OLD,
  next: NEW,
  leavesUntilMs: 2 * HOUR,
  oldLeavesUntilMs: HOUR,
};
const SWITCHED: CaState = {
  phase: 'switched',
  active: NEW,
  previous: OLD,
  leavesUntilMs: 3 * HOUR,
  oldLeavesUntilMs: 2 * HOUR,
};
const early = { nowMs: HOUR, force: false };
const late = { nowMs: 2 * HOUR + 61_000, force: false };

test('prepare trusts both roots and remembers until when leaves live whose holders know only the old one', t => {
  const result = prepare(STABLE, NEW);
  t.match(result, { ok: true, state: { phase: 'prepared', active: OLD, next: NEW, oldLeavesUntilMs: HOUR } });
  t.strictSame(trustedAuthorities(PREPARED), [OLD, NEW]);
  t.end();
});

const steps: readonly (readonly [sentence: string, run: () => unknown, expected: object])[] = [
  [
    'switch is refused while a holder of an old answer may live',
    () => switchOver(PREPARED, early),
    { ok: false, reason: /1970-01-01T01:00:00.000Z.*force/ },
  ],
  [
    'clock skew is added to the end of old leaves',
    () => switchOver(PREPARED, { nowMs: HOUR + 60_000, force: false }),
    { ok: false },
  ],
  [
    'switch goes on after it',
    () => switchOver(PREPARED, late),
    { ok: true, state: { phase: 'switched', active: NEW, previous: OLD, oldLeavesUntilMs: 2 * HOUR } },
  ],
  [
    'switch goes on early when all proxies have confirmed the new root',
    () => switchOver(PREPARED, { ...early, unconfirmed: [] }),
    { ok: true },
  ],
  [
    'a proxy that has not confirmed is named',
    () => switchOver(PREPARED, { ...early, unconfirmed: ['ztunnel-a'] }),
    { ok: false, reason: /ztunnel-a/ },
  ],
  ['switch can be forced', () => switchOver(PREPARED, { ...early, force: true }), { ok: true }],
  [
    'finish is refused while leaves of the old root may live',
    () => finish(SWITCHED, early),
    { ok: false, reason: /leaves of the old root/ },
  ],
  [
    'finish goes on after it and forgets the old root',
    () => finish(SWITCHED, late),
    { ok: true, state: { phase: 'stable', active: NEW } },
  ],
  ['finish can be forced', () => finish(SWITCHED, { ...early, force: true }), { ok: true }],
  [
    'a second prepare is refused',
    () => prepare(PREPARED, NEW),
    { ok: false, reason: /phase stable.*phase prepared/ },
  ],
  [
    'switch without prepare is refused, forced or not',
    () => switchOver(STABLE, { ...late, force: true }),
    { ok: false },
  ],
  [
    'finish before switch is refused, forced or not',
    () => finish(PREPARED, { ...late, force: true }),
    { ok: false },
  ],
  [
    'a leaf issued while a step is written counts as one of the old phase',
    () => withLeavesUntil({ ...PREPARED, leavesUntilMs: 9 * HOUR }, SWITCHED),
    { leavesUntilMs: 9 * HOUR, oldLeavesUntilMs: 9 * HOUR },
  ],
  [
    'a leaf issued later does not prolong the old phase',
    () => withLeavesUntil({ ...SWITCHED, leavesUntilMs: 9 * HOUR }, SWITCHED),
    { leavesUntilMs: 9 * HOUR, oldLeavesUntilMs: 2 * HOUR },
  ],
];

for (const [sentence, run, expected] of steps) {
  test(sentence, t => {
    t.match(run(), expected);
    t.end();
  });
}
