import { test } from 'tap';
import { parseKubePod } from './kube-pod.ts';

const META = { name: 'orders-1', namespace: 'shop', uid: 'u-1', labels: { app: 'orders' } };
const POD = {
  metadata: META,
  spec: { serviceAccountName: 'orders', containers: [{ name: 'app' }] },
  status: { phase: 'Running', podIPs: [{ ip: '10.91.1.7' }, { ip: 'FD00:0::7' }] },
};

test('what is kept of a pod', async t => {
  t.same(parseKubePod(POD), {
    ok: true,
    value: {
      uid: 'u-1',
      runtimeUid: 'u-1',
      name: 'orders-1',
      namespace: 'shop',
      serviceAccount: 'orders',
      labels: { app: 'orders' },
      ips: ['10.91.1.7', 'fd00::7'],
      hostNetwork: false,
      phase: 'running',
      isTerminating: false,
      sidecar: undefined,
      bypassInbound: false,
      dnsCapture: undefined,
      probePorts: [],
      redirection: undefined,
    },
  });
});

test('what each field makes of a pod', async t => {
  for (const [sentence, change, expected] of [
    ['no account is the default one', { spec: {} }, { serviceAccount: 'default' }],
    ['a pod that waits has no address', { status: { phase: 'Pending' } }, { phase: 'pending', ips: [] }],
    ['a job that is done has ended', { status: { phase: 'Succeeded' } }, { phase: 'ended' }],
    ['a pod that failed has ended', { status: { phase: 'Failed' } }, { phase: 'ended' }],
    ['a node that is lost leaves its pods running', { status: { phase: 'Unknown' } }, { phase: 'running' }],
    ['one address is enough', { status: { podIP: '10.0.0.1' } }, { ips: ['10.0.0.1'] }],
    ['what is no address is none', { status: { podIP: 'localhost' } }, { ips: [] }],
    ['the host network', { spec: { hostNetwork: true } }, { hostNetwork: true }],
    [
      'a deletion that has begun',
      { metadata: { ...META, deletionTimestamp: '2026-01-01T00:00:00Z' } },
      { isTerminating: true },
    ],
    [
      "a sidecar among the init containers, as Kubernetes' own kind of sidecar",
      { spec: { initContainers: [{ name: 'istio-proxy' }] } },
      { sidecar: 'istio-proxy' },
    ],
    [
      'inbound capture is bypassed by the annotation',
      { metadata: { ...META, annotations: { 'ambient.istio.io/bypass-inbound-capture': 'true' } } },
      { bypassInbound: true },
    ],
    ...(['true', 'false', 'yes'] as const).map(
      text =>
        [
          `dns capture by the annotation: ${text}`,
          { metadata: { ...META, annotations: { 'ambient.istio.io/dns-capture': text } } },
          { dnsCapture: text === 'yes' ? undefined : text === 'true' },
        ] as const,
    ),
    [
      'the annotation of capture, as it is',
      { metadata: { ...META, annotations: { 'ambient.istio.io/redirection': 'enabled' } } },
      { redirection: 'enabled' },
    ],
    [
      'a static pod is known to the runtime by its hash',
      { metadata: { ...META, annotations: { 'kubernetes.io/config.hash': '0a1b' } } },
      { uid: 'u-1', runtimeUid: '0a1b' },
    ],
  ] as const) {
    t.match(parseKubePod({ ...POD, ...change }), { ok: true, value: expected }, sentence);
  }
});

test('ports that probes dial', async t => {
  for (const [sentence, container, ports] of [
    ['none', {}, []],
    ['an HTTP probe', { livenessProbe: { httpGet: { port: 8080 } } }, [8080]],
    ['a TCP probe', { readinessProbe: { tcpSocket: { port: 6379 } } }, [6379]],
    ['a gRPC probe', { startupProbe: { grpc: { port: 9000 } } }, [9000]],
    ['a probe by a program dials nothing', { livenessProbe: { exec: { command: ['true'] } } }, []],
    [
      'a port by its name',
      { ports: [{ name: 'web', containerPort: 80 }], livenessProbe: { httpGet: { port: 'web' } } },
      [80],
    ],
    ['a number written as text', { livenessProbe: { httpGet: { port: '81' } } }, [81]],
    ['a name that no port has', { livenessProbe: { httpGet: { port: 'web' } } }, []],
    ['a number that is no port', { livenessProbe: { httpGet: { port: 70_000 } } }, []],
    ['a lifecycle hook', { lifecycle: { preStop: { httpGet: { port: 82 } } } }, [82]],
    [
      'each once, in order',
      {
        livenessProbe: { httpGet: { port: 90 } },
        readinessProbe: { httpGet: { port: 80 } },
        startupProbe: { httpGet: { port: 90 } },
      },
      [80, 90],
    ],
  ] as const) {
    t.match(
      parseKubePod({ ...POD, spec: { containers: [container] } }),
      { ok: true, value: { probePorts: ports } },
      sentence,
    );
  }
});

test('what is no pod is rejected by the field', async t => {
  for (const [sentence, metadata, error] of [
    ['a name that would be another path', { ...META, name: '../x' }, 'metadata.name is not a name'],
    ['no namespace', { ...META, namespace: undefined }, 'metadata.namespace is missing'],
    ['no uid', { ...META, uid: 7 }, 'metadata.uid is not a uid'],
  ] as const) {
    t.same(parseKubePod({ ...POD, metadata }), { ok: false, error }, sentence);
  }
  t.same(
    parseKubePod({ ...POD, spec: { serviceAccountName: 'a/b' } }),
    { ok: false, error: 'spec.serviceAccountName is not a name' },
    'an account that would be another identity',
  );
});
