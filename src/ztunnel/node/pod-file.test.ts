import { test } from 'tap';
import { parsePodFile } from './pod-file.ts';

const GOOD = {
  uid: 'u-1',
  name: 'orders-1',
  namespace: 'shop',
  serviceAccount: 'orders',
  labels: { app: 'orders' },
  namespaceLabels: {},
  ips: ['10.1.0.2', 'FD00:0::2'],
  netnsPath: '/run/netns/x',
  hostNetwork: false,
  starting: false,
  sidecar: 'istio-proxy',
  bypassInbound: true,
  dnsCapture: false,
  probePorts: [8080],
};

test('a good file', async t => {
  const result = parsePodFile(JSON.stringify(GOOD), 'u-1');
  t.same(result, { ok: true, pod: { ...GOOD, ips: ['10.1.0.2', 'fd00::2'] } });
  const { labels: _l, ips: _i, netnsPath: _n, hostNetwork: _h, ...more } = GOOD;
  const { starting: _s, sidecar: _c, bypassInbound: _b, dnsCapture: _d, probePorts: _p, ...least } = more;
  t.match(parsePodFile(JSON.stringify(least), 'u-1'), {
    ok: true,
    pod: {
      labels: {},
      ips: [],
      netnsPath: undefined,
      hostNetwork: false,
      sidecar: undefined,
      dnsCapture: undefined,
      probePorts: undefined,
    },
  });
});

test('what a bad file gets', async t => {
  for (const [sentence, change, error] of [
    ['the uid must be the name of the file', { uid: 'u-2' }, 'uid: is u-2, but the file is named for u-1'],
    [
      'a name must be one of Kubernetes: it becomes part of an identity',
      { namespace: 'a/b' },
      'namespace: "a/b" is not a name',
    ],
    ['a service account too', { serviceAccount: undefined }, 'serviceAccount: nothing is not a name'],
    ['labels are strings', { labels: { a: 1 } }, 'labels.a: 1 is not a string'],
    ['labels are an object', { labels: [] }, 'labels: [] is not an object of strings'],
    ['addresses are addresses', { ips: ['10.0.0.256'] }, 'ips: "10.0.0.256" is not an IP address'],
    ['the path is absolute', { netnsPath: 'run/netns' }, 'netnsPath: "run/netns" is not an absolute path'],
    ['a port is one of TCP', { probePorts: [0] }, 'probePorts: 0 is not a port'],
    ['ports are an array', { probePorts: 80 }, 'probePorts: 80 is not an array of ports'],
    ['a container has a name', { sidecar: '' }, 'sidecar: "" is not a name'],
    ['so is dnsCapture, where it is there', { dnsCapture: 1 }, 'dnsCapture: 1 is neither true nor false'],
    ['hostNetwork is a boolean', { hostNetwork: 'no' }, 'hostNetwork: "no" is neither true nor false'],
  ] as const) {
    t.same(
      parsePodFile(JSON.stringify({ ...GOOD, ...change }), 'u-1'),
      { ok: false, errors: [error] },
      sentence,
    );
  }
  t.match(parsePodFile('{', 'u-1'), { ok: false, errors: [/^not JSON/] });
  t.same(parsePodFile('[]', 'u-1'), { ok: false, errors: ['not a JSON object'] });
  t.match(parsePodFile(' '.repeat(300_000), 'u-1'), { ok: false, errors: [/longer than/] });
  t.match(parsePodFile('{}', 'u-1'), { errors: { length: 4 } }, 'every error is named at once');
});

test('a label named like a property of every object is only a label', async t => {
  const result = parsePodFile(JSON.stringify(GOOD).replace('"app"', '"__proto__"'), 'u-1');
  t.ok(result.ok && Object.hasOwn(result.pod.labels, '__proto__'));
});
