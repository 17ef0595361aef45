import { test } from 'tap';
import { type Check, describeOutcome, expect, runChecks } from './check.ts';
import type { MeshUnderTest, Need } from './mesh-under-test.ts';

/** A mesh that only says what it lacks. */
function meshWithout(lacking: Partial<Record<Need, string>>): MeshUnderTest {
  const unused = (): never => {
    throw new Error('not for this test');
  };
  return {
    lacks: need => lacking[need],
    ztunnelOf: unused,
    podIp: unused,
    exec: unused,
    spawn: unused,
    apply: unused,
    remove: unused,
    proxies: [],
    log: unused,
    fetchAdmin: unused,
    kill: unused,
    start: unused,
    capture: unused,
    ambientctl: unused,
  };
}

const CHECKS: readonly Check[] = [
  { name: 'holds', run: () => Promise.resolve('seen') },
  {
    name: 'does not hold',
    run: async () => {
      expect(false, 'got 5, not 4');
      return '';
    },
  },
  { name: 'needs packets', needs: 'packets', run: mesh => mesh.capture().stop().then(String) },
  { name: 'needs capture', needs: 'capture', run: () => Promise.resolve('captured') },
];

test('checks pass, fail, or are skipped with the reason', async t => {
  const lines: string[] = [];
  const mesh = meshWithout({ packets: 'no link here' });
  const outcome = await runChecks(CHECKS, mesh, line => void lines.push(line));
  t.same(outcome, { passed: 2, failed: 1, skipped: 1 }, 'one that fails does not keep the next from running');
  const expected = [
    /^ok {4}holds \(seen; \d+\.\d s\)$/,
    /^FAIL {2}does not hold: got 5, not 4 /,
    /^skip {2}needs packets: no link here$/,
    /^ok {4}needs capture \(captured; /,
  ];
  t.equal(lines.length, expected.length);
  for (const [i, pattern] of expected.entries()) t.match(lines[i], pattern);
});

test('the last line', t => {
  t.equal(describeOutcome({ passed: 27, failed: 0, skipped: 0 }), '27 passed, 0 failed');
  t.equal(describeOutcome({ passed: 25, failed: 0, skipped: 2 }), '25 passed, 0 failed, 2 skipped');
  t.end();
});
