import { test } from 'tap';
import { TLS_CREDENTIAL_TYPE } from '#shared/discovery/mesh-resource.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { IndexLab } from '../testing/index-lab.ts';

const { rootPem } = await createTestCa();

const secret = (name: string, label = 'true'): string => `
apiVersion: v1
kind: Secret
metadata: {name: ${name}, namespace: shop, labels: {ambient.mesh/tls-credential: "${label}"}}
data: {ca.crt: ${Buffer.from(rootPem).toString('base64')}}`;

const gateway = (namespace: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: wp, namespace: ${namespace}}
spec:
  gatewayClassName: ambient-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]`;

const service = (name: string, namespace: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}, labels: {istio.io/use-waypoint: wp}}
spec: {clusterIP: 10.9.0.${namespace === 'shop' ? 1 : 2}, ports: [{port: 80}]}`;

const rule = (credential: string): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: shop}
spec:
  host: api
  trafficPolicy: {tls: {mode: SIMPLE, credentialName: ${credential}}}`;

const MESH = [gateway('shop'), gateway('orders'), service('api', 'shop'), service('desk', 'orders')];
const OWN = 'spiffe://td/ns/shop/sa/wp';
const OTHER = 'spiffe://td/ns/orders/sa/wp';

function audiences(lab: IndexLab): Record<string, readonly string[]> {
  const stored = [...lab.store.all(TLS_CREDENTIAL_TYPE).values()];
  return Object.fromEntries(stored.map(({ audience = [], name }) => [name, audience]));
}

/** Of another namespace, and it leads to the service that has the credential. */
const ROUTE = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: desk, namespace: orders}
spec:
  hosts: [desk]
  http: [{route: [{destination: {host: api.shop.svc.cluster.local, port: {number: 80}}}]}]`;

test('a Secret is for the waypoint of the service whose rule names it, and for nobody while none does', t => {
  const lab = new IndexLab(...MESH, secret('cred'));
  t.same(audiences(lab), {}, 'nobody needs it');
  lab.apply(rule('cred'));
  t.same(audiences(lab), { 'shop/cred': [OWN] });
  t.equal(lab.routes('api')?.trafficPolicy.tls?.credential, 'shop/cred');
  lab.apply(secret('next'), rule('next'));
  t.same(audiences(lab), { 'shop/next': [OWN] }, 'the one before is taken away');
  lab.apply(secret('next', 'false'));
  t.same(audiences(lab), {}, 'it is not labelled any more');
  t.end();
});

test('a waypoint whose routes lead there needs it as well', t => {
  const lab = new IndexLab(...MESH, secret('cred'), rule('cred'));
  lab.apply(ROUTE);
  t.same(audiences(lab), { 'shop/cred': [OTHER, OWN] });
  lab.remove(ROUTE);
  t.same(audiences(lab), { 'shop/cred': [OWN] });
  t.end();
});

test('a canary needs it as well, each of the two what rules say to it', t => {
  const labels = '{istio.io/use-waypoint: wp, istio.io/use-waypoint-canary: next}';
  const api = service('api', 'shop').replace('{istio.io/use-waypoint: wp}', labels);
  const next = gateway('shop').replace('name: wp', 'name: next');
  const lab = new IndexLab(gateway('shop'), next, api, secret('cred'), rule('cred'));
  const NEXT = 'spiffe://td/ns/shop/sa/next';
  t.same(audiences(lab), { 'shop/cred': [NEXT, OWN] });
  const selecting = (name: string): string =>
    `${rule('other').replace('name: api', 'name: by-label')}\n  workloadSelector: {matchLabels: {gateway.networking.k8s.io/gateway-name: ${name}}}`;
  lab.apply(secret('other'), selecting('next'));
  t.same(audiences(lab), { 'shop/cred': [OWN], 'shop/other': [NEXT] });
  lab.apply(selecting('wp'));
  t.same(audiences(lab), { 'shop/cred': [NEXT], 'shop/other': [OWN] });
  lab.apply(service('api', 'shop'));
  t.same(audiences(lab), { 'shop/other': [OWN] }, 'it is no canary any more');
  t.end();
});

test('a private key goes where its namespace lets it, not to whoever writes a route that leads there', async t => {
  const { certChainPem, privateKeyPem } = await (await createTestCa()).issue(OWN);
  const encoded = (text: string): string => Buffer.from(text).toString('base64');
  const keyed = secret('cred').replace(
    /ca\.crt: .*\}/,
    `tls.crt: ${encoded(certChainPem)}, tls.key: ${encoded(privateKeyPem)}}`,
  );
  const grant = (from: string, to: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: grant, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: ${from}}]
  to: [{group: "", kind: Secret, name: ${to}}]`;
  const lab = new IndexLab(...MESH, keyed, rule('cred'), ROUTE);
  t.same(audiences(lab), { 'shop/cred': [OWN] }, 'a route of another namespace');
  lab.apply(grant('orders', 'cred'));
  t.same(audiences(lab), { 'shop/cred': [OTHER, OWN] }, 'with a grant');
  lab.apply(grant('orders', 'more'));
  t.same(audiences(lab), { 'shop/cred': [OWN] }, 'a grant for another Secret');
  lab.apply(grant('bank', 'cred'));
  t.same(audiences(lab), { 'shop/cred': [OWN] }, 'a grant for another namespace');
  t.end();
});

test('it goes to the service account that the pods of the waypoint run as', t => {
  const lab = new IndexLab(...MESH, secret('cred'), rule('cred'));
  lab.apply(`
apiVersion: v1
kind: Pod
metadata: {name: wp-1, namespace: shop, labels: {gateway.networking.k8s.io/gateway-name: wp}}
spec: {serviceAccountName: other, nodeName: n, containers: [{name: c, image: i}]}
status: {phase: Running, podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}], conditions: [{type: Ready, status: "True"}]}`);
  t.same(audiences(lab), { 'shop/cred': ['spiffe://td/ns/shop/sa/other'] });
  t.end();
});

test('a Secret that is rejected leaves the last good one in force', t => {
  const lab = new IndexLab(...MESH, secret('cred'), rule('cred'));
  lab.apply(secret('cred').replace(/ca\.crt: .*\}/, 'ca.crt: eA==}'));
  t.same(audiences(lab), { 'shop/cred': [OWN] });
  const status = lab.index.statuses().find(({ key }) => key === 'Secret/shop/cred');
  t.match(status, { state: 'stale', diagnostics: [{ field: 'data' }] });
  t.end();
});

test('authorities of a Secret of their own, and of the one beside that of the certificate, go along', t => {
  const lab = new IndexLab(...MESH, secret('cred'), secret('cred-cacert'), secret('roots'), secret('other'));
  lab.apply(rule('cred'));
  t.same(audiences(lab), { 'shop/cred': [OWN], 'shop/cred-cacert': [OWN] });
  lab.apply(rule('cred').replace('credentialName', 'caCertCredentialName: roots, credentialName'));
  t.same(audiences(lab), { 'shop/cred': [OWN], 'shop/cred-cacert': [OWN], 'shop/roots': [OWN] });
  lab.apply(rule('roots').replace('credentialName', 'caCertCredentialName'));
  t.same(audiences(lab), { 'shop/roots': [OWN] }, 'it may be the only one');
  t.end();
});
