import { test } from 'tap';
import { readSuiteOutput, verdict } from './suite-result.ts';

const OUTPUT = `=== RUN   TestConformance
=== RUN   TestConformance/MeshBasic
--- FAIL: TestConformance (120.00s)
    --- PASS: TestConformance/MeshBasic (1.00s)
        --- PASS: TestConformance/MeshBasic/0_request (1.00s)
    --- FAIL: TestConformance/MeshPorts (31.00s)
        --- FAIL: TestConformance/MeshPorts/No_port_set (30.00s)
    --- SKIP: TestConformance/GatewayInfrastructure (0.00s)
    --- SKIP: TestConformance/MeshConsumerRoute (0.00s)
FAIL
`;

test('the tests of the suite and what became of them', async t => {
  t.same(readSuiteOutput(OUTPUT), {
    passed: ['MeshBasic'],
    failed: ['MeshPorts'],
    skipped: ['GatewayInfrastructure', 'MeshConsumerRoute'],
  });
});

test('a mesh test that failed, was skipped or did not run at all is no success', async t => {
  t.same(verdict(readSuiteOutput(OUTPUT), 3), { ok: false, line: '1 passed, 1 failed, 1 skipped' });
  const one = { passed: ['MeshBasic'], failed: [], skipped: ['GatewayInfrastructure'] };
  t.same(verdict(one, 1), { ok: true, line: '1 passed, 0 failed' });
  t.equal(verdict(one, 2).ok, false, 'fewer ran than there are');
  t.equal(verdict({ ...one, skipped: ['MeshPorts'] }, 1).ok, false);
  t.equal(verdict(readSuiteOutput(''), 0).line, '0 passed, 0 failed');
});
