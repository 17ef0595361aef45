import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { inClusterConnection } from './in-cluster.ts';
import { kubeConfigConnection } from './kubeconfig.ts';

function serviceAccountDir(t: { teardown(fn: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-sa-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'token'), 'first\n');
  writeFileSync(join(directory, 'ca.crt'), 'CA 1');
  writeFileSync(join(directory, 'namespace'), 'istio-system');
  return directory;
}

test('in a pod: the service account, read anew when the kubelet has renewed it', async t => {
  const directory = serviceAccountDir(t);
  const clock = new FakeClock();
  const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
  const connection = inClusterConnection(env, clock, directory);
  t.equal(connection.server.href, 'https://10.96.0.1/');
  t.equal(connection.namespace, 'istio-system');
  const first = await connection.requestOptions();
  t.match(first.headers, { authorization: 'Bearer first' });

  writeFileSync(join(directory, 'token'), 'second');
  t.equal(await connection.requestOptions(), first, 'not read at every request');
  clock.advance(30_000);
  const second = await connection.requestOptions();
  t.match(second.headers, { authorization: 'Bearer second' });
  t.equal(second.agent, first.agent, 'connections live on');

  writeFileSync(join(directory, 'ca.crt'), 'CA 2');
  clock.advance(30_000);
  const third = await connection.requestOptions();
  t.ok(third.agent instanceof Agent && third.agent !== first.agent, 'another CA, other connections');
});

test('an IPv6 cluster', t => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
  const connection = inClusterConnection(env, new FakeClock(), serviceAccountDir(t));
  t.equal(connection.server.href, 'https://[fd00::1]:6443/');
  t.end();
});

test('outside of a cluster it says what to set', t => {
  t.throws(
    () => inClusterConnection({}, new FakeClock()),
    /KUBERNETES_SERVICE_HOST is not set; set KUBECONFIG/,
  );
  t.end();
});

test('a kubeconfig', async t => {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'c', server: 'https://10.0.0.1:6443/prefix', skipTLSVerify: false }],
    users: [{ name: 'u', token: 'secret' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u', namespace: 'shop' }],
    currentContext: 'x',
  });
  const connection = kubeConfigConnection(config);
  t.equal(connection.server.href, 'https://10.0.0.1:6443/prefix');
  t.equal(connection.namespace, 'shop');
  const options = await connection.requestOptions();
  t.match(options.headers, { Authorization: 'Bearer secret' });
  config.setCurrentContext('none');
  t.throws(() => kubeConfigConnection(config), /context "none" names no cluster; set KUBECONFIG/);
});
