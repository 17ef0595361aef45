import { test } from 'tap';
import type { LocalPod } from './local-pod.ts';
import { shouldCapture } from './should-capture.ts';

const POD: LocalPod = {
  uid: '1',
  name: 'a',
  namespace: 'shop',
  serviceAccount: 'default',
  labels: {},
  namespaceLabels: {},
  ips: ['10.0.0.1'],
  netnsPath: '/run/netns/a',
  hostNetwork: false,
};
const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };
const NONE = { 'istio.io/dataplane-mode': 'none' };
const RULES = { excludedNamespaces: new Set(['kube-system']) };

test('which pods are captured', async t => {
  for (const [sentence, change, capture] of [
    ['no label: not captured', {}, false],
    ['the label of the namespace captures', { namespaceLabels: AMBIENT }, true],
    ['the label of the pod captures', { labels: AMBIENT }, true],
    ['the pod may opt out of its namespace', { namespaceLabels: AMBIENT, labels: NONE }, false],
    ['the pod may opt in where its namespace is out', { namespaceLabels: NONE, labels: AMBIENT }, true],
    [
      'a mode that is not known captures nothing',
      { labels: { 'istio.io/dataplane-mode': 'sidecar' } },
      false,
    ],
    ['a pod on the host network never is', { labels: AMBIENT, hostNetwork: true }, false],
    ['a pod of an excluded namespace never is', { labels: AMBIENT, namespace: 'kube-system' }, false],
    ['a pod without a namespace yet is not', { labels: AMBIENT, netnsPath: undefined }, false],
  ] as const) {
    t.equal(shouldCapture({ ...POD, ...change }, RULES).capture, capture, sentence);
  }
  t.match(
    shouldCapture({ ...POD, labels: NONE, namespaceLabels: AMBIENT }, RULES).reason,
    'label istio.io/dataplane-mode of the pod is none',
  );
});
