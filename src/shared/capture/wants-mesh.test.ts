import { test } from 'tap';
import { type PodTraits, wantsMesh } from './wants-mesh.ts';

const POD: PodTraits = {
  namespace: 'shop',
  labels: {},
  namespaceLabels: {},
  hostNetwork: false,
  sidecar: undefined,
};
const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };
const NONE = { 'istio.io/dataplane-mode': 'none' };
const RULES = { excludedNamespaces: new Set(['kube-system']) };

test('which pods are of the mesh', async t => {
  for (const [sentence, change, wanted, reason] of [
    ['no label: not of the mesh', {}, false, 'neither the pod nor its namespace'],
    [
      'the label of the namespace takes it in',
      { namespaceLabels: AMBIENT },
      true,
      'of namespace shop is ambient',
    ],
    ['the label of the pod takes it in', { labels: AMBIENT }, true, 'of the pod is ambient'],
    [
      'the pod may opt out of its namespace',
      { namespaceLabels: AMBIENT, labels: NONE },
      false,
      'of the pod is none',
    ],
    [
      'the pod may opt in where its namespace is out',
      { namespaceLabels: NONE, labels: AMBIENT },
      true,
      'ambient',
    ],
    [
      'a mode that is not known counts as none',
      { labels: { 'istio.io/dataplane-mode': 'x' } },
      false,
      'is x',
    ],
    [
      'a pod on the host network never is',
      { labels: AMBIENT, hostNetwork: true },
      false,
      'network of its host',
    ],
    [
      'a pod of an excluded namespace never is',
      { labels: AMBIENT, namespace: 'kube-system' },
      false,
      'is excluded',
    ],
    [
      'a pod with a sidecar keeps it',
      { labels: AMBIENT, sidecar: 'istio-proxy' },
      false,
      'container istio-proxy',
    ],
  ] as const) {
    const found = wantsMesh({ ...POD, ...change }, RULES);
    t.equal(found.wanted, wanted, sentence);
    t.match(found.reason, reason, sentence);
  }
});
