import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { parseJson } from '#shared/config/json.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { ChainKeeper, type ChainState } from './chain-keeper.ts';

const LIST = { cniVersion: '1.0.0', name: 'kube', plugins: [{ type: 'bridge' }] };

function setUp(t: Test) {
  const root = mkdtempSync(join(tmpdir(), 'cni-'));
  const [binDir, confDir, accountDir] = ['bin', 'net.d', 'account'].map(name => join(root, name));
  if (binDir === undefined || confDir === undefined || accountDir === undefined)
    throw new Error('no directory');
  for (const directory of [binDir, confDir, accountDir]) mkdirSync(directory);
  writeFileSync(join(accountDir, 'token'), 'first');
  writeFileSync(join(accountDir, 'ca.crt'), 'CA');
  const plugin = join(root, 'plugin');
  writeFileSync(plugin, 'the plugin');
  const lines: string[] = [];
  const states: ChainState[] = [];
  const keeper = new ChainKeeper({
    config: { plugin, binDir, confDir, confDirOnNode: '/etc/cni/net.d', failOpen: false },
    socket: '/run/cni.sock',
    access: { host: '10.96.0.1', port: '443', accountDir },
    excludedNamespaces: ['kube-system'],
    clock: systemClock,
    logger: loggerInto(lines),
    onState: state => void states.push(state),
  });
  t.teardown(async () => {
    await keeper.stop();
    rmSync(root, { recursive: true });
  });
  const conf = (name: string): string => join(confDir, name);
  const types = (name: string): unknown => {
    const list = parseJson(readFileSync(conf(name), 'utf8'));
    return JSON.stringify(list).match(/"type":"[a-z-]+"/g);
  };
  /** The test's time limit is the deadline. */
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise(resolve => setImmediate(resolve));
  };
  return { binDir, confDir, accountDir, plugin, lines, states, keeper, conf, types, until };
}

const CHAINED = ['"type":"bridge"', '"type":"ambient-cni"'];

test('the plugin is installed and chained to the network that the runtime uses', async t => {
  const { binDir, conf, keeper, types, plugin } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  writeFileSync(conf('20-other.conflist'), JSON.stringify(LIST));
  writeFileSync(conf('00-readme.txt'), 'not one');
  chmodSync(conf('10-kube.conflist'), 0o600);
  await keeper.start();
  t.equal(readFileSync(join(binDir, 'ambient-cni'), 'utf8'), readFileSync(plugin, 'utf8'));
  t.equal(statSync(join(binDir, 'ambient-cni')).mode & 0o777, 0o755);
  t.same(types('10-kube.conflist'), CHAINED, 'the first one');
  t.same(types('20-other.conflist'), ['"type":"bridge"'], 'and no other');
  t.equal(statSync(conf('10-kube.conflist')).mode & 0o777, 0o600, 'who may read it has not changed');
  t.same(keeper.state, { installed: true, file: conf('10-kube.conflist') });
  t.match(parseJson(readFileSync(conf('10-kube.conflist'), 'utf8')), {
    plugins: [
      {},
      {
        socket: '/run/cni.sock',
        api: { accountDir: '/etc/cni/net.d/ambient-cni.d' },
        excludedNamespaces: ['kube-system'],
      },
    ],
  });
  t.equal(readFileSync(conf('ambient-cni.d/token'), 'utf8'), 'first');
  t.equal(statSync(conf('ambient-cni.d/token')).mode & 0o777, 0o600);
});

test('a list that another CNI writes anew is repaired, and so is a network that comes first', async t => {
  const { conf, keeper, lines, types, until } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  await keeper.start();
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  await until(() => lines.join('\n').includes('the CNI chain was without the plugin: repaired'));
  t.same(types('10-kube.conflist'), CHAINED);
  writeFileSync(conf('05-new.conflist'), JSON.stringify(LIST));
  await until(() => readFileSync(conf('05-new.conflist'), 'utf8').includes('ambient-cni'));
  t.same(types('05-new.conflist'), CHAINED);
});

test('an executable that somebody removed, emptied or made unusable is put back', async t => {
  const { binDir, conf, keeper, lines } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  await keeper.start();
  const target = join(binDir, 'ambient-cni');
  const damages: readonly (readonly [string, () => void])[] = [
    ['removed', () => rmSync(target)],
    ['emptied', () => writeFileSync(target, '')],
    ['not executable', () => chmodSync(target, 0o644)],
  ];
  for (const [what, damage] of damages) {
    damage();
    await keeper.check();
    t.equal(readFileSync(target, 'utf8'), 'the plugin', what);
    t.equal(statSync(target).mode & 0o777, 0o755, what);
  }
  t.equal(lines.filter(line => line.includes('was missing: repaired')).length, damages.length);
});

test('the executable of another release stays: two ztunnels of an upgrade do not undo each other', async t => {
  const { binDir, conf, keeper } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  await keeper.start();
  const newer = join(binDir, 'newer');
  writeFileSync(newer, 'a newer plugin', { mode: 0o755 });
  renameSync(newer, join(binDir, 'ambient-cni'));
  await keeper.check();
  t.equal(readFileSync(join(binDir, 'ambient-cni'), 'utf8'), 'a newer plugin');
});

test('an executable that cannot be put back: no pod starts, and it is said so', async t => {
  const { binDir, conf, keeper, plugin } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  await keeper.start();
  rmSync(join(binDir, 'ambient-cni'));
  rmSync(plugin);
  await keeper.check();
  t.match(keeper.state, {
    installed: false,
    reason: /no pod starts on this node: .*ambient-cni is missing and cannot be written: ENOENT/,
  });
  t.same(readdirSync(binDir), [], 'and no part of it is left');
});

test('a network that is not there yet is waited for; one that cannot be chained to is told of', async t => {
  const { conf, keeper, until } = setUp(t);
  await keeper.start();
  t.match(keeper.state, { installed: false, reason: /has no network yet/ });
  writeFileSync(conf('10-kube.conf'), '{"type":"bridge"}');
  await keeper.check();
  t.match(keeper.state, { installed: false, reason: /10-kube.conf: it has no list "plugins"/ });
  rmSync(conf('10-kube.conf'));
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  await until(() => keeper.state.installed);
});

test('the token follows the one that is renewed', async t => {
  const { accountDir, conf, keeper } = setUp(t);
  await keeper.start();
  writeFileSync(join(accountDir, 'token'), 'second');
  await keeper.check();
  t.equal(readFileSync(conf('ambient-cni.d/token'), 'utf8'), 'second');
});

test('stopping leaves the plugin in the chain; uninstalling leaves nothing', async t => {
  const { binDir, conf, keeper, types } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  await keeper.start();
  await keeper.stop();
  t.same(types('10-kube.conflist'), CHAINED);
  await keeper.uninstall();
  t.same(parseJson(readFileSync(conf('10-kube.conflist'), 'utf8')), LIST);
  t.notOk(existsSync(join(binDir, 'ambient-cni')));
  t.notOk(existsSync(conf('ambient-cni.d')));
});

test('an executable that cannot be put into place: the start goes on, and it is put there when it can be', async t => {
  const { binDir, conf, keeper, lines, plugin, types } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  rmSync(plugin);
  await keeper.start();
  t.match(keeper.state, {
    installed: false,
    reason: /no pod starts on this node: .*cannot be written: ENOENT.*plugin/,
  });
  t.same(types('10-kube.conflist'), ['"type":"bridge"'], 'the chain does not name what is not there');
  writeFileSync(plugin, 'the plugin');
  await keeper.check();
  t.match(keeper.state, { installed: true });
  t.equal(readFileSync(join(binDir, 'ambient-cni'), 'utf8'), 'the plugin');
  t.match(lines.join('\n'), /the CNI plugin is installed/);
});

test('a full disk at an upgrade: the executable of before serves, which is told once, until there is room', async t => {
  const { binDir, conf, keeper, lines, plugin, types } = setUp(t);
  writeFileSync(conf('10-kube.conflist'), JSON.stringify(LIST));
  writeFileSync(join(binDir, 'ambient-cni'), 'of before', { mode: 0o755 });
  rmSync(plugin);
  await keeper.start();
  for (let looks = 0; looks < 3; looks++) await keeper.check();
  t.match(keeper.state, {
    installed: false,
    reason: /ambient-cni is not of this release, and cannot be written: ENOENT/,
  });
  t.same(types('10-kube.conflist'), CHAINED, 'pods are captured');
  t.equal(lines.filter(line => line.includes('is not in the chain')).length, 1);
  writeFileSync(plugin, 'the plugin');
  await keeper.check();
  t.equal(readFileSync(join(binDir, 'ambient-cni'), 'utf8'), 'the plugin');
  t.match(keeper.state, { installed: true });
});
