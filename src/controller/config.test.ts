import { test } from 'tap';
import { ConfigError, type Environment } from '#shared/config/env-reader.ts';
import { readConfig } from './config.ts';

const GOOD: Environment = { CONFIG_DIR: '/objects' };

function problems(env: Environment): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    return error instanceof ConfigError ? error.problems : [String(error)];
  }
}

test('a directory of objects is all that has to be told', t => {
  t.match(readConfig(GOOD), {
    source: { kind: 'directory', path: '/objects' },
    rootNamespace: 'istio-system',
    discovery: { ip: '0.0.0.0', port: 15_012 },
    identity: 'spiffe://cluster.local/ns/istio-system/sa/istiod',
    adminAddress: { ip: '127.0.0.1', port: 15_014 },
    ca: { directory: '/var/lib/ambient-mesh', pluggedDirectory: undefined, leafTtlMs: 86_400_000 },
  });
  t.end();
});

test('in a cluster nothing has to be told', t => {
  t.match(readConfig({ SOURCE: 'kubernetes', POD_NAME: 'istiod-1', POD_NAMESPACE: 'mesh' }), {
    source: {
      kind: 'kubernetes',
      namespace: 'mesh',
      replica: 'istiod-1',
      tokenAudience: 'istio-ca',
      nodeAccounts: ['mesh/ztunnel'],
    },
    identity: 'spiffe://cluster.local/ns/mesh/sa/istiod',
    ca: { rootCertPath: undefined },
  });
  t.end();
});

test('a controller that listens on one address has it in its certificate', t => {
  t.ok(readConfig({ ...GOOD, XDS_ADDRESS: '10.0.0.7:15012' }).serverNames.includes('10.0.0.7'));
  t.notOk(readConfig(GOOD).serverNames.includes('0.0.0.0'));
  t.same(
    readConfig({ ...GOOD, ROOT_NAMESPACE: 'mesh' }).serverNames,
    ['istiod.mesh.svc', 'istiod.istio-system.svc', 'localhost', '127.0.0.1'],
    'both names that proxies know it by',
  );
  t.end();
});

const WRONG: readonly (readonly [sentence: string, env: Environment, problem: RegExp])[] = [
  ['no directory of objects', {}, /^CONFIG_DIR: is not set; it is required/],
  [
    'a source nobody knows',
    { ...GOOD, SOURCE: 'etcd' },
    /^SOURCE: "etcd" is not accepted; use directory \| kubernetes/,
  ],
  ['discovery turned off', { ...GOOD, XDS_ADDRESS: 'off' }, /^XDS_ADDRESS: /],
  ['an address without port', { ...GOOD, STATS_ADDR: '0.0.0.0' }, /^STATS_ADDR: "0.0.0.0" is not accepted/],
  [
    'an admin address others can reach',
    { ...GOOD, ADMIN_ADDR: '0.0.0.0:15014' },
    /^ADMIN_ADDR: 0.0.0.0 is not a loopback address/,
  ],
  [
    'a trust domain with capitals',
    { ...GOOD, TRUST_DOMAIN: 'Cluster.Local' },
    /^TRUST_DOMAIN: "Cluster.Local"/,
  ],
  [
    'leaves that live longer than they may',
    { ...GOOD, WORKLOAD_CERT_TTL: '24h', MAX_WORKLOAD_CERT_TTL: '1h' },
    /^MAX_WORKLOAD_CERT_TTL: is shorter than WORKLOAD_CERT_TTL/,
  ],
  [
    'a node account that is none',
    { SOURCE: 'kubernetes', CA_TRUSTED_NODE_ACCOUNTS: 'mesh/ztunnel,ztunnel' },
    /^CA_TRUSTED_NODE_ACCOUNTS: "ztunnel" is not NAMESPACE\/NAME/,
  ],
  ['leaves of seconds', { ...GOOD, WORKLOAD_CERT_TTL: '10s' }, /^WORKLOAD_CERT_TTL: "10s" is not accepted/],
  ['a service account that is none', { ...GOOD, SERVICE_ACCOUNT: 'a/b' }, /^SERVICE_ACCOUNT: /],
];

test('values that are wrong', t => {
  for (const [sentence, env, problem] of WRONG) {
    const found = problems(env);
    t.equal(found.length, 1, `${sentence}: ${found.join('; ')}`);
    t.match(found[0], problem, sentence);
  }
  t.end();
});
