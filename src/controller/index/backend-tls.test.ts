import { test } from 'tap';
import { effectivePolicy } from '#shared/route/effective-policy.ts';
import { TLS_CREDENTIAL_TYPE } from '#shared/discovery/mesh-resource.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { backendTlsPolicy, caConfigMap, tlsTarget } from '../testing/backend-tls-objects.ts';
import { IndexLab, pod, service, SHOP, WAYPOINT } from '../testing/index-lab.ts';

/** What BackendTLSPolicies make of the policies of a Service, together with what they refer to and with DestinationRules. */

const [one, two] = await Promise.all([createTestCa('one'), createTestCa('two')]);
const [ONE, TWO] = [one.rootPem.trim(), two.rootPem.trim()];
const CA = caConfigMap('ca', one.rootPem);
const PORTS = '[{name: http, port: 80, targetPort: web}, {name: https, port: 443, targetPort: web}]';
const API = service('api', { labels: '{istio.io/use-waypoint: waypoint}', ports: PORTS });
const MESH = [SHOP, WAYPOINT, API];

function rule(spec: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api, namespace: shop}
spec: {host: api, ${spec}}`;
}

/** Server names by port; undefined: no TLS. */
function names(lab: IndexLab, subset?: string): readonly (string | undefined)[] {
  const routes = lab.routes('api');
  return [80, 443].map(port => {
    const tls = routes && effectivePolicy(routes, port, subset).tls;
    return tls?.mode === 'disable' ? 'disabled' : tls?.serverName;
  });
}

function roots(lab: IndexLab): unknown {
  return lab.routes('api')?.trafficPolicy.tls?.trustedRoots;
}

function said(lab: IndexLab, policy: string): readonly string[] {
  const status = lab.index.statuses().find(({ key }) => key === `BackendTLSPolicy/shop/${policy}`);
  return status?.diagnostics.map(({ message, severity }) => `${severity}: ${message}`) ?? [];
}

test('a Service gets TLS towards its endpoints, which know the name that is asked for', t => {
  const lab = new IndexLab(...MESH, CA, backendTlsPolicy('it'));
  t.same(lab.routes('api')?.trafficPolicy.tls, {
    mode: 'simple',
    serverName: 'it.example.com',
    subjectAltNames: [],
    trustedRoots: { kind: 'pem', pem: ONE },
    clientCertificate: undefined,
    credential: undefined,
    revocationListFile: undefined,
    skipVerification: false,
    alpn: [],
    passesClientTls: true,
  });
  t.same(said(lab, 'it'), []);
  const others = 'wellKnownCACertificates: System, subjectAltNames: [{type: URI, uri: "spiffe://a/b"}]';
  lab.apply(backendTlsPolicy('it', { authorities: others }));
  t.match(lab.routes('api')?.trafficPolicy.tls, {
    serverName: 'it.example.com',
    subjectAltNames: ['spiffe://a/b'],
    trustedRoots: { kind: 'system' },
  });
  lab.remove(backendTlsPolicy('it'));
  t.equal(lab.routes('api')?.trafficPolicy.tls, undefined);
  t.end();
});

test('a Service without a waypoint has it too, for waypoints whose routes lead there', t => {
  const lab = new IndexLab(SHOP, service('api', { ports: PORTS }), CA);
  t.equal(lab.routes('api'), undefined);
  lab.apply(backendTlsPolicy('it'));
  t.same(names(lab), ['it.example.com', 'it.example.com']);
  t.end();
});

test('a policy for a port goes before that for the whole Service, whichever is older', t => {
  const lab = new IndexLab(...MESH, CA);
  lab.apply(
    backendTlsPolicy('port', { targets: tlsTarget('api', 'https'), created: '2026-01-02T00:00:00Z' }),
  );
  t.same(names(lab), [undefined, 'port.example.com']);
  lab.apply(backendTlsPolicy('whole', { created: '2026-01-01T00:00:00Z' }));
  t.same(names(lab), ['whole.example.com', 'port.example.com']);
  t.same([said(lab, 'port'), said(lab, 'whole')], [[], []]);
  t.end();
});

test('of several policies for the same the oldest holds, then the first by name', t => {
  for (const section of [undefined, 'https']) {
    const targets = tlsTarget('api', section);
    const lab = new IndexLab(...MESH, CA);
    lab.apply(backendTlsPolicy('a', { targets, created: '2026-01-02T00:00:00Z' }));
    t.match(names(lab)[1], 'a.example.com');
    lab.apply(backendTlsPolicy('z', { targets, created: '2026-01-01T00:00:00Z' }));
    t.match(names(lab)[1], 'z.example.com', 'the older one');
    t.match(said(lab, 'a'), [
      /^ignored: BackendTLSPolicy z is for .*Service shop\/api too, and goes before$/,
    ]);
    lab.apply(backendTlsPolicy('b', { targets, created: '2026-01-01T00:00:00Z' }));
    t.match(names(lab)[1], 'b.example.com', 'the first by name');
    lab.remove(backendTlsPolicy('b'), backendTlsPolicy('z'));
    t.match(names(lab)[1], 'a.example.com', 'it takes over');
    t.same(said(lab, 'a'), []);
  }
  t.end();
});

test('a policy for what is not there, or is in another namespace, has no effect and says so', t => {
  const lab = new IndexLab(...MESH, CA);
  lab.apply(backendTlsPolicy('it', { targets: tlsTarget('nope') }));
  t.match(said(lab, 'it'), [/^ignored: there is no Service shop\/nope/]);
  lab.apply(backendTlsPolicy('it', { targets: tlsTarget('api', 'grpc') }));
  t.match(said(lab, 'it'), [/Service shop\/api has no port of the name grpc/]);
  lab.apply(backendTlsPolicy('away', { namespace: 'bank', authorities: 'wellKnownCACertificates: System' }));
  t.same(names(lab), [undefined, undefined]);
  const away = lab.index.statuses().find(({ key }) => key === 'BackendTLSPolicy/bank/away');
  t.match(away?.diagnostics, [{ message: /no Service bank\/api/, fix: /Services of its own namespace/ }]);
  t.end();
});

const SUBSETS = 'subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}';

test('what a DestinationRule says of TLS goes before, all of it; what else it says holds beside it', t => {
  type Names = readonly string[];
  const rows: readonly [string, string, Names, Names, RegExp | undefined][] = [
    [
      'nothing of TLS',
      'trafficPolicy: {loadBalancer: {simple: RANDOM}}',
      ['it', 'it'],
      ['it', 'it'],
      undefined,
    ],
    [
      'TLS of the service',
      'trafficPolicy: {tls: {mode: SIMPLE, sni: rule.example.com}}',
      ['rule', 'rule'],
      ['rule', 'rule'],
      /DestinationRule shop\/api sets trafficPolicy\.tls for api\.shop\.svc\.cluster\.local, and goes before$/,
    ],
    [
      'plaintext',
      'trafficPolicy: {tls: {mode: DISABLE}}',
      ['disabled', 'disabled'],
      ['disabled', 'disabled'],
      /and goes before$/,
    ],
    [
      'TLS of a port',
      'trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE, sni: rule.example.com}}]}',
      ['it', 'rule'],
      ['it', 'rule'],
      /port 443, and goes before there$/,
    ],
    [
      'a port, and nothing of TLS',
      'trafficPolicy: {portLevelSettings: [{port: {number: 443}, connectionPool: {tcp: {maxConnections: 1}}}]}',
      ['it', 'it'],
      ['it', 'it'],
      undefined,
    ],
    [
      'TLS of a subset',
      `${SUBSETS}, trafficPolicy: {tls: {mode: SIMPLE, sni: rule.example.com}}}]`,
      ['it', 'it'],
      ['rule', 'rule'],
      /subset v2, and goes before there$/,
    ],
  ];
  const full = (list: Names): Names => list.map(name => (name === 'disabled' ? name : `${name}.example.com`));
  for (const [name, spec, service, subset, says] of rows) {
    const lab = new IndexLab(...MESH, CA, pod('api'), backendTlsPolicy('it'));
    lab.apply(rule(spec.includes('subsets') ? spec : `${SUBSETS}}], ${spec}`));
    t.same(names(lab), full(service), name);
    t.same(names(lab, 'v2'), full(subset), `${name}, a subset`);
    t.match(said(lab, 'it'), says === undefined ? [] : [says], name);
    t.equal(said(lab, 'it').length, says === undefined ? 0 : 1, name);
  }
  t.end();
});

test('of several DestinationRules the one whose TLS holds is named', t => {
  const lab = new IndexLab(...MESH, CA, backendTlsPolicy('it'));
  const tls = 'trafficPolicy: {tls: {mode: DISABLE}}';
  lab.apply(rule(tls).replace('name: api,', 'name: first, creationTimestamp: "2026-01-01T00:00:00Z",'));
  lab.apply(rule(tls).replace('name: api,', 'name: second, creationTimestamp: "2026-01-02T00:00:00Z",'));
  t.match(said(lab, 'it'), [/^ignored: DestinationRule shop\/first sets trafficPolicy\.tls/]);
  t.end();
});

test('TLS of a port leaves what a DestinationRule says of ports and subsets as it is', t => {
  const lab = new IndexLab(...MESH, CA, backendTlsPolicy('it', { targets: tlsTarget('api', 'https') }));
  const pool = (max: number): string => `connectionPool: {tcp: {maxConnections: ${max}}}`;
  lab.apply(
    rule(
      `trafficPolicy: {${pool(1)}, portLevelSettings: [{port: {number: 80}, ${pool(2)}}]},
       subsets: [{name: v1, labels: {v: "1"}}, {name: v2, labels: {v: "2"}, trafficPolicy: {${pool(3)}}}]`,
    ),
  );
  const routes = lab.routes('api');
  const at = (port: number, subset?: string): unknown => {
    const policy = routes && effectivePolicy(routes, port, subset);
    return [policy?.maxConnections, policy?.tls?.serverName];
  };
  t.same(
    [at(80), at(443), at(80, 'v1'), at(443, 'v1'), at(80, 'v2'), at(443, 'v2')],
    [
      [2, undefined],
      [1, 'it.example.com'],
      [2, undefined],
      [1, 'it.example.com'],
      [3, undefined],
      [3, 'it.example.com'],
    ],
  );
  t.end();
});

test('the ConfigMap may come later and change; what is wrong in it changes nothing; without it connections fail', t => {
  const lab = new IndexLab(...MESH, backendTlsPolicy('it'));
  const missing = {
    kind: 'unresolved',
    reason: /^there is no ConfigMap shop\/ca that the controller may read$/,
  };
  t.match(roots(lab), missing);
  t.match(said(lab, 'it'), [/^rejected: there is no ConfigMap shop\/ca/]);
  lab.apply(caConfigMap('ca', 'nonsense'));
  t.match(roots(lab), {
    kind: 'unresolved',
    reason: /^ConfigMap shop\/ca: data\.ca\.crt: .*holds no certificate/,
  });
  lab.apply(CA);
  t.same(roots(lab), { kind: 'pem', pem: ONE });
  t.same(said(lab, 'it'), []);
  lab.take();
  lab.apply(caConfigMap('ca', `${ONE}\n${TWO}`));
  t.same(roots(lab), { kind: 'pem', pem: `${ONE}\n${TWO}` });
  t.same(lab.take(), ['shop/api.shop.svc.cluster.local'], 'the Service alone is told anew');
  lab.apply(caConfigMap('ca', ''));
  t.same(roots(lab), { kind: 'pem', pem: `${ONE}\n${TWO}` });
  t.match(said(lab, 'it'), [/^rejected: .*data\.ca\.crt: is required; what it held before is in use$/]);
  const ofItself = lab.index.statuses().filter(({ key }) => key.startsWith('ConfigMap/'));
  t.match(ofItself, [{ state: 'accepted', diagnostics: [] }], 'of the ConfigMap itself nothing is said');
  lab.remove(CA);
  t.match(roots(lab), missing);
  t.end();
});

test('of several references those that lead nowhere are left out', t => {
  const refs =
    '{group: "", kind: ConfigMap, name: ca}, {group: "", kind: ConfigMap, name: cb}, {group: x.y, kind: Bundle, name: z}';
  const lab = new IndexLab(...MESH, CA, caConfigMap('cb', two.rootPem));
  lab.apply(backendTlsPolicy('it', { authorities: `caCertificateRefs: [${refs}]` }));
  t.same(roots(lab), { kind: 'pem', pem: `${ONE}\n${TWO}` });
  t.match(said(lab, 'it'), [/^ignored: Bundle\.x\.y z is of a kind that is not read/]);
  lab.remove(CA, caConfigMap('cb', two.rootPem));
  t.match(roots(lab), {
    kind: 'unresolved',
    reason: /shop\/ca that.*; there is no ConfigMap shop\/cb.*; Bundle/,
  });
  t.match(said(lab, 'it'), [/^rejected: /, /^rejected: /, /^rejected: /]);
  t.end();
});

const secret = (data: string, label = 'true'): string => `
apiVersion: v1
kind: Secret
metadata: {name: ca, namespace: shop, labels: {ambient.mesh/tls-credential: "${label}"}}
data: {${data}}`;

test('authorities of a Secret go to the waypoint apart, and are the only ones of a policy', t => {
  const ref = '{group: "", kind: Secret, name: ca}';
  const lab = new IndexLab(...MESH, backendTlsPolicy('it', { authorities: `caCertificateRefs: [${ref}]` }));
  const audiences = (): unknown =>
    [...lab.store.all(TLS_CREDENTIAL_TYPE).values()].map(({ audience }) => audience);
  const named = { kind: 'credential', name: 'shop/ca' };
  t.same(roots(lab), named);
  t.match(said(lab, 'it'), [
    /^rejected: there is no Secret shop\/ca with the label ambient\.mesh\/tls-credential/,
  ]);
  const encoded = Buffer.from(one.rootPem).toString('base64');
  lab.apply(secret(`ca.crt: ${encoded}`, 'no'));
  t.match(said(lab, 'it'), [/^rejected: there is no Secret/], 'not labelled');
  lab.apply(secret(`ca.crt: ${encoded}`));
  t.same([roots(lab), said(lab, 'it'), audiences()], [named, [], [['spiffe://td/ns/shop/sa/waypoint']]]);
  lab.apply(secret('ca.crt: bm9uZQ=='));
  t.match(said(lab, 'it'), [/^rejected: Secret shop\/ca: data: .*; what it held before is in use$/]);
  lab.apply(
    CA,
    backendTlsPolicy('it', {
      authorities: `caCertificateRefs: [${ref}, {group: "", kind: ConfigMap, name: ca}]`,
    }),
  );
  t.same(roots(lab), { kind: 'pem', pem: ONE });
  t.match(said(lab, 'it'), [/^ignored: Secret ca: authorities of a Secret are used where it is the only/]);
  t.end();
});

test('a policy that was never good lets nothing pass in plaintext; one that goes bad stays as it was', t => {
  const wrong = backendTlsPolicy('it', { hostname: '*.example.com' });
  const lab = new IndexLab(...MESH, CA, wrong);
  t.match(roots(lab), {
    kind: 'unresolved',
    reason: /BackendTLSPolicy shop\/it rejected: spec\.validation\.hostname/,
  });
  lab.apply(backendTlsPolicy('it'));
  t.same(names(lab), ['it.example.com', 'it.example.com']);
  lab.apply(wrong);
  t.same(names(lab), ['it.example.com', 'it.example.com']);
  t.same(roots(lab), { kind: 'pem', pem: ONE });
  t.end();
});

test('a policy that was never good is no rival to one that is', t => {
  const lab = new IndexLab(...MESH, CA);
  lab.apply(backendTlsPolicy('bad', { hostname: 'A', created: '2026-01-01T00:00:00Z' }));
  lab.apply(backendTlsPolicy('good', { created: '2026-01-02T00:00:00Z' }));
  t.same(names(lab), ['good.example.com', 'good.example.com']);
  t.same(said(lab, 'good'), []);
  t.end();
});
