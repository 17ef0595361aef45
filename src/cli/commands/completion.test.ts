import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { programTree, runLine } from '../testing/test-cli.ts';
import { completionScript } from './completion.ts';

/** [what stands before the cursor, what bash then offers] */
const COMPLETIONS: readonly (readonly [string, readonly string[]])[] = [
  ['ambientctl wayp', ['waypoint']],
  ['ambientctl waypoint a', ['apply']],
  ['ambientctl waypoint apply --en', ['--enroll-namespace']],
  ['ambientctl zc wor', ['workloads']],
  ['ambientctl ztunnel-config --node waypoint ser', ['services']],
  ['ambientctl stat -o ', ['table', 'json', 'yaml']],
  ['ambientctl completion ', ['bash', 'zsh', 'fish']],
  ['ambientctl frobnicate x', []],
  ['ambientctl waypoint apply --for = s', ['service']],
  ['ambientctl waypoint apply --for =', ['service', 'workload', 'all', 'none']],
  ['ambientctl stat ', ['workload', 'service', 'namespace']],
  ['ambientctl stat -w ', []],
  ['ambientctl describe pod --no', ['--node']],
  // What the mesh is asked for: `ambientctl` itself is one here that tells what it was called with.
  ['ambientctl describe pod ', ['names', 'pods']],
  ['ambientctl describe pod p', ['pods']],
  ['ambientctl logs ', ['names', 'pods', 'proxies']],
  ['ambientctl zc workloads -n ', ['names', 'namespaces']],
  ['ambientctl authz check shop/a --from ', ['names', 'pods']],
  ['ambientctl describe service --state-dir /d ', ['names', 'services', '--state-dir', '/d']],
  ['ambientctl playground apply compl', ['completion.yaml']],
  ['ambientctl zc workloads --kubeconfig compl', ['completion.yaml']],
];

test('bash completes commands, aliases, options and their choices', t => {
  const dir = mkdtempSync(join(tmpdir(), 'completion-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const script = join(dir, 'ambientctl.bash');
  writeFileSync(script, completionScript('bash', programTree()));
  for (const [line, expected] of COMPLETIONS) {
    const words = line.split(' ').map(word => `'${word}'`);
    const program = `cd ${dir}; touch completion.yaml; ambientctl() { echo "$@"; }; source ${script}; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _ambientctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const offered = execFileSync('bash', ['-c', program], { encoding: 'utf8' })
      .split('\n')
      .filter(word => word !== '' && word !== '-h' && word !== '--help');
    t.same(offered, expected, line);
  }
  t.end();
});

test('fish and zsh know every command', t => {
  const [fish, zsh] = [completionScript('fish', programTree()), completionScript('zsh', programTree())];
  t.match(zsh, /^#compdef ambientctl\n/);
  for (const command of programTree().commands) {
    t.match(fish, new RegExp(`-a ${command.name()} -d '`), command.name());
    t.match(zsh, new RegExp(`\\b${command.name()}\\b`), command.name());
  }
  t.match(
    fish,
    /describe; and __fish_seen_subcommand_from pod' -a '\(ambientctl names pods 2>\/dev\/null\)'/,
  );
  t.match(
    fish,
    /-n '__fish_seen_subcommand_from waypoint; and __fish_seen_subcommand_from apply' -l for -x -a 'service workload all none'/,
  );
  t.end();
});

test('a shell without completion', async t => {
  const { status, err } = await runLine('completion tcsh');
  t.equal(status, 2);
  t.match(err, /Allowed choices are bash, zsh, fish/);
});
