import { test } from 'tap';
import { eventually } from '../eventually.ts';
import { loadReport } from '../load-report.ts';
import { authorizationPolicy, echoPod, pod, service, serviceAccount } from '../objects.ts';
import { skip, type TestNamespace, testNamespace } from '../test-namespace.ts';

const EFFECT_DEADLINE_MS = 5_000;

function outcome(
  ns: TestNamespace,
  client: string,
  wanted: 'allowed' | 'refused',
  url = 'http://server/',
): Promise<number> {
  return eventually(`${client} is ${wanted}`, EFFECT_DEADLINE_MS, async () => {
    const { status, error } = await ns.request(client, url);
    return (status === 200) === (wanted === 'allowed') ? true : `status ${status} ${error}`;
  });
}

const principal = (ns: TestNamespace, account: string): string => `cluster.local/ns/${ns.name}/sa/${account}`;

test('identities: a policy knows the service account of the pod that connects', { skip }, async t => {
  const ns = await testNamespace(t, 'identity');
  await ns.apply(serviceAccount('good'), serviceAccount('bad'));
  await ns.apply(
    service('server'),
    echoPod('server'),
    pod('good', { serviceAccount: 'good' }),
    pod('bad', { serviceAccount: 'bad' }),
  );
  await ns.ready();
  for (const client of ['good', 'bad']) await ns.reachable(client, 'http://server/');

  await ns.apply(
    authorizationPolicy('allow-good', {
      action: 'ALLOW',
      rules: [{ from: [{ source: { principals: [principal(ns, 'good')] } }] }],
    }),
  );
  await outcome(ns, 'bad', 'refused');
  await outcome(ns, 'good', 'allowed');
  t.pass('only the account that is named gets through');

  await ns.delete('authorizationpolicy', 'allow-good');
  await outcome(ns, 'bad', 'allowed');
  t.pass('without the policy everybody does');
});

test('a DENY with a selector cuts connections that are open, those of others go on', { skip }, async t => {
  const ns = await testNamespace(t, 'deny');
  await ns.apply(serviceAccount('a'), serviceAccount('b'));
  await ns.apply(
    service('server'),
    echoPod('server'),
    pod('a', { serviceAccount: 'a' }),
    pod('b', { serviceAccount: 'b' }),
  );
  await ns.ready();
  for (const client of ['a', 'b']) await ns.reachable(client, 'http://server/');
  const [denied, kept] = ['a', 'b'].map(client => ns.load(client, '--seconds=8', '--stream', 'server:9000'));
  // Long enough for both to be open: each said a line before it was answered.
  await eventually('both connections are open', 10_000, async () => {
    const { stdout } = await ns.exec('server', 'cat', '/proc/net/tcp6');
    const established = stdout.split('\n').filter(line => /:2328 [0-9A-F:]+ 01 /.test(line)).length;
    return established >= 2 ? true : `${established} connections`;
  });
  await ns.apply(
    authorizationPolicy(
      'deny-a',
      { action: 'DENY', rules: [{ from: [{ source: { principals: [principal(ns, 'a')] } }] }] },
      'server',
    ),
  );
  await outcome(ns, 'a', 'refused');
  if (denied === undefined || kept === undefined) return;
  const cut = loadReport(await denied.done);
  t.equal(cut.failed, 1, `the denied one is cut: ${JSON.stringify(cut)}`);
  t.ok(cut.seconds < 7, `and soon: after ${cut.seconds} s`);
  const other = loadReport(await kept.done);
  t.equal(other.failed, 0, `the other one goes on: ${JSON.stringify(other)}`);
});

test('STRICT: plaintext from outside the mesh is refused, probes and the mesh are not', { skip }, async t => {
  const ns = await testNamespace(t, 'strict');
  const outside = await testNamespace(t, 'outside', { meshed: false });
  await ns.apply(service('server'), echoPod('server'), pod('client'));
  await outside.apply(pod('client'));
  await ns.ready();
  await outside.ready({ captured: false });
  const url = `http://server.${ns.name}/`;
  await outside.reachable('client', url);

  await ns.apply({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'default' },
    spec: { mtls: { mode: 'STRICT' } },
  });
  await outcome(outside, 'client', 'refused', url);
  await outcome(ns, 'client', 'allowed', url);
  await ns.ready();
  t.pass('the mesh gets through, the rest does not');
});
