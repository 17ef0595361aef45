import { test } from 'tap';
import { ConfigError, type Environment } from '#shared/config/env-reader.ts';
import { readConfig } from './config.ts';

const SHARED = { POD_SOURCE_DIR: '/pods', XDS_ADDRESS: 'istiod.istio-system.svc:15012' };
const DEDICATED = {
  PROXY_MODE: 'dedicated',
  PROXY_WORKLOAD_INFO: 'shop/vm-1/orders',
  LISTEN_IP: '192.0.2.7',
  XDS_ADDRESS: 'https://controller:15012',
};

function problems(env: Environment): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    return error instanceof ConfigError ? error.problems : [String(error)];
  }
}

test('defaults of a node proxy', t => {
  const config = readConfig(SHARED);
  t.match(config, {
    dedicated: undefined,
    nodeAgent: {
      source: { kind: 'directory', directory: '/pods' },
      captureDns: false,
      probeSources: undefined,
    },
    instance: { clusterId: 'Kubernetes', clusterDomain: 'cluster.local' },
    discovery: { address: 'istiod.istio-system.svc:15012', tokenPath: '/var/run/secrets/tokens/istio-token' },
    certificates: { fake: false, address: 'istiod.istio-system.svc:15012', ttlMs: 86_400_000 },
    traffic: {
      trustDomain: 'cluster.local',
      originalSource: true,
      waypointUnavailable: 'refuse',
      outboundTrafficPolicy: 'allow_any',
      maxStreamsPerConnection: 100,
      poolIdleTimeoutMs: 300_000,
      http2: { streamWindowBytes: 4_194_304, connectionWindowBytes: 16_777_216, maxFrameBytes: 1_048_576 },
    },
    drainMs: 29_000,
    log: { format: 'text', level: 'info', scopes: {} },
    adminAddress: { ip: '127.0.0.1', port: 15000 },
    statsAddress: { ip: '0.0.0.0', port: 15020 },
    readinessAddress: { ip: '0.0.0.0', port: 15021 },
  });
  t.ok(config.workerThreads >= 1);
  t.strictSame(config.nodeAgent?.excludedNamespaces, ['kube-system']);
  t.end();
});

test('a single workload outside a cluster', t => {
  t.match(readConfig(DEDICATED), {
    nodeAgent: undefined,
    dedicated: {
      namespace: 'shop',
      name: 'vm-1',
      serviceAccount: 'orders',
      ip: '192.0.2.7',
      socks5: { ip: '192.0.2.7', port: 15080 },
    },
    discovery: { address: 'controller:15012' },
    traffic: { originalSource: false },
    statsAddress: { ip: '192.0.2.7', port: 15020 },
  });
  t.match(readConfig({ ...DEDICATED, SOCKS5_ENABLED: 'false' }), { dedicated: { socks5: undefined } });
  t.match(readConfig({ ...DEDICATED, SOCKS5_ADDR: '[::1]:1080' }), {
    dedicated: { socks5: { ip: '::1', port: 1080 } },
  });
  t.end();
});

test('values that mean something', t => {
  const rows: [sentence: string, env: Environment, expected: object][] = [
    [
      'the drain is a second shorter than the grace period',
      { TERMINATION_GRACE_PERIOD_SECONDS: '60' },
      { drainMs: 59_000 },
    ],
    ['unless it is told', { CONNECTION_TERMINATION_DEADLINE: '5s' }, { drainMs: 5_000 }],
    [
      'RUST_LOG is understood',
      { RUST_LOG: 'warn,ztunnel::access=debug' },
      { log: { level: 'warn', scopes: { 'ztunnel::access': 'debug' } } },
    ],
    ['LOG_LEVEL wins over it', { RUST_LOG: 'warn', LOG_LEVEL: 'error' }, { log: { level: 'error' } }],
    ['plain is text', { LOG_FORMAT: 'plain' }, { log: { format: 'text' } }],
    [
      'addresses may be off',
      { ADMIN_ADDR: 'off', STATS_ADDR: 'off' },
      { adminAddress: undefined, statsAddress: undefined },
    ],
    ['no token', { TOKEN_PATH: 'off' }, { discovery: { tokenPath: undefined } }],
    [
      'a CA of its own',
      { CA_ADDRESS: 'ca:443', CA_ROOT_CA: '/ca.pem' },
      { certificates: { address: 'ca:443', rootCa: '/ca.pem' } },
    ],
    [
      'a fake CA needs no address',
      { XDS_ADDRESS: '', LOCAL_XDS_PATH: '/mesh.yaml', FAKE_CA: 'true' },
      { discovery: { localPath: '/mesh.yaml' }, certificates: { fake: true } },
    ],
    [
      'probe sources',
      { PROBE_SOURCES: '10.0.0.1, fd00::1' },
      { nodeAgent: { probeSources: ['10.0.0.1', 'fd00::1'] } },
    ],
  ];
  for (const [sentence, env, expected] of rows)
    t.match(readConfig({ ...SHARED, ...env }), expected, sentence);
  t.end();
});

test('values that are wrong', t => {
  const rows: [sentence: string, env: Environment, problem: RegExp][] = [
    ['no controller and no file', { POD_SOURCE_DIR: '/pods' }, /^XDS_ADDRESS: is not set/],
    ['nobody to sign', { POD_SOURCE_DIR: '/pods', LOCAL_XDS_PATH: '/f' }, /^CA_ADDRESS: is not set/],
    ['no pods', { XDS_ADDRESS: 'c:1' }, /^POD_SOURCE_DIR: is not set/],
    [
      'an unknown mode',
      { ...SHARED, PROXY_MODE: 'sidecar' },
      /^PROXY_MODE: "sidecar" is not accepted; use shared \| dedicated/,
    ],
    [
      'a controller without port',
      { ...SHARED, XDS_ADDRESS: 'http://x:y' },
      /^XDS_ADDRESS: "http:\/\/x:y" is not accepted/,
    ],
    [
      'a workload of two parts',
      { ...DEDICATED, PROXY_WORKLOAD_INFO: 'shop/vm' },
      /^PROXY_WORKLOAD_INFO: "shop\/vm" is not accepted/,
    ],
    ['a workload of four parts', { ...DEDICATED, PROXY_WORKLOAD_INFO: 'a/b/c/d' }, /^PROXY_WORKLOAD_INFO: /],
    ['no workload', { ...DEDICATED, PROXY_WORKLOAD_INFO: '' }, /^PROXY_WORKLOAD_INFO: "" is not accepted/],
    [
      'a listen address that is a name',
      { ...DEDICATED, LISTEN_IP: 'localhost' },
      /^LISTEN_IP: "localhost" is not accepted/,
    ],
    [
      'a SOCKS5 address without port',
      { ...DEDICATED, SOCKS5_ADDR: '127.0.0.1' },
      /^SOCKS5_ADDR: "127.0.0.1" is not accepted/,
    ],
    ['on-demand discovery', { ...SHARED, XDS_ON_DEMAND: 'true' }, /^XDS_ON_DEMAND: true is not supported/],
    [
      'a plugin that would ask nobody',
      { ...SHARED, CNI_SOCKET: 'off', CNI_CONF_DIR: '/etc/cni/net.d' },
      /^CNI_SOCKET: is off, but CNI_CONF_DIR is set/,
    ],
    ['DNS capture', { ...SHARED, DNS_CAPTURE: 'on' }, /^DNS_CAPTURE: "on" is not accepted/],
    [
      'a probe source that is a name',
      { ...SHARED, PROBE_SOURCES: 'kubelet' },
      /^PROBE_SOURCES: "kubelet" is not an IP address/,
    ],
    [
      'an upper-case trust domain',
      { ...SHARED, TRUST_DOMAIN: 'Cluster.Local' },
      /^TRUST_DOMAIN: "Cluster.Local": /,
    ],
    ['no worker', { ...SHARED, ZTUNNEL_WORKER_THREADS: '0' }, /^ZTUNNEL_WORKER_THREADS: "0" is not accepted/],
    ['a life of a second', { ...SHARED, SECRET_TTL: '1s' }, /^SECRET_TTL: "1s" is not accepted/],
    [
      'a log level nobody knows',
      { ...SHARED, LOG_LEVEL: 'info,x=loud' },
      /^LOG_LEVEL: "x=loud" is not accepted/,
    ],
    [
      'a window below the least',
      { ...SHARED, HTTP2_STREAM_WINDOW_SIZE: '1' },
      /^HTTP2_STREAM_WINDOW_SIZE: "1" is not accepted/,
    ],
    [
      'equal windows, with which peers can deadlock',
      { ...SHARED, HTTP2_CONNECTION_WINDOW_SIZE: '4194304' },
      /^HTTP2_CONNECTION_WINDOW_SIZE: 4194304 must be larger than/,
    ],
    [
      'an admin address the network can reach',
      { ...SHARED, ADMIN_ADDR: '0.0.0.0:15000' },
      /^ADMIN_ADDR: 0\.0\.0\.0 is not a loopback address/,
    ],
  ];
  for (const [sentence, env, problem] of rows) {
    const found = problems(env);
    t.ok(
      found.some(text => problem.test(text)),
      `${sentence}: ${found.join('; ')}`,
    );
  }
  t.ok(problems({ PROXY_MODE: 'x', LOG_FORMAT: 'y', FAKE_CA: 'z' }).length >= 4, 'all of them at once');
  t.end();
});
