import { test } from 'tap';
import { desiredTaints, ztunnelPod } from './node-taint.ts';

const OURS = { key: 'ambient.mesh/not-ready', effect: 'NoSchedule' };
const THEIRS = { key: 'cni.istio.io/not-ready', effect: 'NoSchedule', timeAdded: 'x' };
const OTHER = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

test('the taints of a node', async t => {
  for (const [sentence, taints, ready, starting, expected] of [
    ['a ready ztunnel frees the node', [OTHER, OURS], 1, 0, [OTHER]],
    ['also of the taint its template was given for another mesh', [THEIRS, OTHER, OURS], 1, 0, [OTHER]],
    ['a free node stays as it is', [OTHER], 1, 0, undefined],
    ['a ztunnel that is starting closes the node', [OTHER], 0, 1, [OTHER, OURS]],
    ['once', [OURS], 0, 1, undefined],
    ['two, during an upgrade, of which one is ready', [OURS], 1, 1, []],
    ['a node that has none is not ours to close', [], 0, 0, undefined],
    ['and stays closed when its template says so', [OURS], 0, 0, undefined],
    ['what is no taint is left alone', ['x'], 0, 1, ['x', OURS]],
  ] as const) {
    t.same(desiredTaints(taints, { ready, starting }), expected, sentence);
  }
});

test('what a pod of the DaemonSet counts for', async t => {
  const pod = (status: string, more: object = {}) => ({
    metadata: { name: 'ztunnel-1', ...more },
    spec: { nodeName: 'n1' },
    status: { conditions: [{ type: 'Ready', status }] },
  });
  t.same(ztunnelPod(pod('True')), { node: 'n1', counts: 'ready' });
  t.same(ztunnelPod(pod('False')), { node: 'n1', counts: 'starting' });
  t.same(
    ztunnelPod(pod('True', { deletionTimestamp: 'now' })),
    { node: 'n1', counts: undefined },
    'on its way out',
  );
  t.equal(ztunnelPod({ metadata: { name: 'ztunnel-1' } }), undefined, 'on no node yet');
});
