import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type AdmissionAnswer, formatAdmissionAnswer } from '#shared/cni/admission.ts';
import { parseJson } from '#shared/config/json.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { runPlugin } from './run.ts';

const PREV = {
  cniVersion: '1.0.0',
  interfaces: [{ name: 'eth0' }],
  ips: [{ address: '10.91.1.5/24', interface: 0 }],
};
const ARGS = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=orders-1;K8S_POD_UID=u-1';

/** A ztunnel that answers so, and what it was asked. */
async function setUp(
  t: Test,
  answer: AdmissionAnswer | string = { ok: true, captured: true, reason: 'yes' },
) {
  const directory = mkdtempSync(join(tmpdir(), 'cni-'));
  const socket = join(directory, 'cni.sock');
  const asked: unknown[] = [];
  const server = createServer({ allowHalfOpen: true }, client => {
    client.on('data', data => {
      asked.push(parseJson(data.toString()));
      client.end(typeof answer === 'string' ? answer : formatAdmissionAnswer(answer));
    });
  });
  await new Promise<void>(resolve => server.listen(socket, resolve));
  t.teardown(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  const call = (command: string, config: object = {}, env: Record<string, string> = {}) =>
    runPlugin({
      env: { CNI_COMMAND: command, CNI_NETNS: '/run/netns/x', CNI_ARGS: ARGS, ...env },
      stdin: JSON.stringify({
        cniVersion: '1.0.0',
        name: 'kube',
        type: 'ambient-cni',
        socket,
        prevResult: PREV,
        ...config,
      }),
      clock: systemClock,
    });
  return { socket, asked, call };
}

test('ADD: the result of the plugins before, when ztunnel says that the pod may start', async t => {
  const { asked, call } = await setUp(t);
  const { stdout, exitCode } = await call('ADD');
  t.equal(exitCode, 0);
  t.same(parseJson(stdout), PREV);
  t.same(asked, [
    {
      version: 1,
      command: 'add',
      namespace: 'shop',
      name: 'orders-1',
      uid: 'u-1',
      netns: '/run/netns/x',
      ips: ['10.91.1.5'],
    },
  ]);
});

test('ADD: an error of CNI with the reason, when ztunnel says that it may not', async t => {
  const { call } = await setUp(t, { ok: false, reason: 'port 15006 is used by the pod itself' });
  const { stdout, exitCode } = await call('ADD');
  t.equal(exitCode, 1);
  t.match(parseJson(stdout), {
    cniVersion: '1.0.0',
    code: 100,
    msg: /cannot take this pod in: port 15006 is used/,
  });
});

test('ADD of what is not a pod of Kubernetes passes', async t => {
  const { asked, call } = await setUp(t);
  t.match(await call('ADD', {}, { CNI_ARGS: '' }), { exitCode: 0 });
  t.same(asked, []);
});

test('ADD: what is wrong with the configuration', async t => {
  const { call } = await setUp(t);
  for (const [sentence, config, code, msg] of [
    [
      'a version we do not speak',
      { cniVersion: '0.2.0' },
      1,
      /"0.2.0" is not supported; use one of 0.3.1, 0.4.0/,
    ],
    ['first in the chain', { prevResult: undefined }, 7, /must come after one that makes the network/],
    ['no socket', { socket: 7 }, 7, /socket of the plugin's configuration is not an absolute path/],
    ['a list that is none', { excludedNamespaces: 'x' }, 7, /excludedNamespaces .* is not a list of names/],
    ['half of an access', { api: { host: 'x' } }, 7, /api .* is not {host, port, accountDir}/],
  ] as const) {
    const { stdout, exitCode } = await call('ADD', config);
    t.equal(exitCode, 1, sentence);
    t.match(parseJson(stdout), { code, msg }, sentence);
  }
  const broken = await runPlugin({ env: { CNI_COMMAND: 'ADD' }, stdin: '{', clock: systemClock });
  t.match(parseJson(broken.stdout), { code: 6, msg: /not JSON/ });
});

test('every version that is supported is answered in its own', async t => {
  const { call } = await setUp(t);
  for (const cniVersion of ['0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
    t.match(parseJson((await call('ADD', { cniVersion })).stdout), { cniVersion, ips: PREV.ips });
  }
});

test('DEL never fails', async t => {
  const refusing = await setUp(t, { ok: false, reason: 'no' });
  t.same(await refusing.call('DEL'), { stdout: '', exitCode: 0 });
  t.match(refusing.asked, [{ command: 'del' }], 'and ztunnel is told');
  t.same(await refusing.call('DEL', { socket: '/nowhere' }), { stdout: '', exitCode: 0 }, 'nobody is there');
  t.same(await refusing.call('DEL', { cniVersion: '9' }), { stdout: '', exitCode: 0 }, 'nothing is right');
  const silent = await runPlugin({ env: { CNI_COMMAND: 'DEL' }, stdin: 'x', clock: systemClock });
  t.same(silent, { stdout: '', exitCode: 0 });
});

test('CHECK fails when ztunnel says so, and not when none is there', async t => {
  const { call } = await setUp(t, { ok: false, reason: 'not captured' });
  t.match(await call('CHECK'), { exitCode: 1, stdout: /not captured/ });
  t.same(await call('CHECK', { socket: '/nowhere' }), { stdout: '', exitCode: 0 });
});

test('the other commands', async t => {
  const { call } = await setUp(t);
  t.same(parseJson((await call('VERSION')).stdout), {
    cniVersion: '1.1.0',
    supportedVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  });
  t.same(await call('STATUS'), { stdout: '', exitCode: 0 }, 'a node without ztunnel is a ready node');
  t.same(await call('GC'), { stdout: '', exitCode: 0 });
  t.match(parseJson((await call('MAKE')).stdout), { code: 4, msg: /"MAKE" is not one of ADD/ });
});

test('a ztunnel that talks nonsense counts as none', async t => {
  const { call } = await setUp(t, 'hello\n');
  t.match(await call('ADD', { failOpen: true }), { exitCode: 0 });
});
