import { test } from 'tap';
import type { LocalPod } from './local-pod.ts';
import { shouldCapture } from './should-capture.ts';

const POD: LocalPod = {
  uid: '1',
  name: 'a',
  namespace: 'shop',
  serviceAccount: 'default',
  labels: { 'istio.io/dataplane-mode': 'ambient' },
  namespaceLabels: {},
  ips: ['10.0.0.1'],
  netnsPath: '/run/netns/a',
  hostNetwork: false,
  starting: false,
  sidecar: undefined,
  bypassInbound: false,
  dnsCapture: undefined,
  probePorts: undefined,
};
const RULES = { excludedNamespaces: new Set<string>() };

test('a pod is captured when it is wanted and has a network namespace', async t => {
  t.match(shouldCapture(POD, RULES), { wanted: true, capture: true });
  t.match(shouldCapture({ ...POD, netnsPath: undefined }, RULES), {
    wanted: true,
    capture: false,
    reason: 'the pod has no network namespace yet',
  });
  t.match(shouldCapture({ ...POD, labels: {} }, RULES), { wanted: false, capture: false });
});
