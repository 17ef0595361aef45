import { spawnSync } from 'node:child_process';
import { test } from 'tap';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { checkMachine, IN_USER_NAMESPACE, missingPackages, userNamespaceCommand } from './machine.ts';

const skip = cannotMakeNetns();

test('what this machine allows', { skip }, async t => {
  t.same(missingPackages(), []);
  t.same(
    checkMachine(() => undefined),
    { mode: 'root', reason: '' },
  );
});

test('inside a user namespace the playground finds what it needs', { skip }, async t => {
  const machine = new URL('./machine.ts', import.meta.url).href;
  const script = `
    import { checkMachine } from '${machine}';
    console.log(JSON.stringify(checkMachine(() => undefined)));`;
  const [program = '', ...args] = userNamespaceCommand(['--input-type=module-typescript', '-e', script]);
  const env = { ...process.env, [IN_USER_NAMESPACE]: '1' };
  const run = spawnSync(program, args, { encoding: 'utf8', env });
  if (run.stderr.includes('Operation not permitted'))
    return t.pass(`user namespaces are not allowed: ${run.stderr.trim()}`);
  return t.equal(run.stdout.trim(), '{"mode":"user-namespace","reason":""}');
});
