import { test } from 'tap';
import { chooseEngine } from './choose-engine.ts';
import { nativeSelfTest } from './native/self-test.ts';

const LINUX = { os: 'linux', cpu: 'x64' } as const;
const passes = (): undefined => undefined;
const fails = (): string => 'accept4 fails';

test('which engine runs, and the reason that is shown', t => {
  const rows = [
    { wanted: undefined, test: passes, on: LINUX, name: 'native', reason: /self-test passed/ },
    {
      wanted: undefined,
      test: passes,
      on: { os: 'linux', cpu: 'arm64' } as const,
      name: 'native',
      reason: /self-test/,
    },
    { wanted: 'native', test: passes, on: LINUX, name: 'native', reason: /ENGINE=native/ },
    { wanted: 'node', test: fails, on: LINUX, name: 'node', reason: /ENGINE=node/ },
    { wanted: undefined, test: fails, on: LINUX, name: 'node', reason: /failed: accept4 fails/ },
    { wanted: 'native', test: fails, on: LINUX, name: 'node', reason: /failed: accept4 fails/ },
    {
      wanted: undefined,
      test: passes,
      on: { os: 'darwin', cpu: 'arm64' } as const,
      name: 'node',
      reason: /darwin/,
    },
    {
      wanted: undefined,
      test: passes,
      on: { os: 'linux', cpu: 's390x' } as const,
      name: 'node',
      reason: /s390x/,
    },
  ] as const;
  for (const row of rows) {
    const choice = chooseEngine(row.wanted, row.test, row.on);
    t.equal(choice.name, row.name);
    t.match(choice.reason, row.reason);
  }
  const slow = chooseEngine(undefined, passes, LINUX, () => false);
  t.match(slow, { name: 'native', reason: /self-test passed; slow: this runtime checks/ });
  t.end();
});

test('this machine passes the self-test, or is told why not', t => {
  const fault = nativeSelfTest();
  if (process.platform === 'linux') t.equal(fault, undefined);
  else t.type(fault, 'string');
  t.end();
});
