import type { KubeObject } from '../../cluster/kube-object.ts';
import { REDIRECTION } from '../../cluster/mesh-labels.ts';
import { isReady, isRunning, nodeOf, podState, proxyKindOf } from '../../cluster/mesh-pods.ts';
import { child, objects, text } from '../../json-fields.ts';
import { type Check, noneOf, OK, ok, unknown } from '../check.ts';
import {
  answered,
  type ClusterSnapshot,
  proxyPods,
  systemNamespace,
  wantsCapture,
} from '../cluster-snapshot.ts';

const category = 'data plane';
/** Set on a node that has no ready ztunnel, so that no pod starts there outside the mesh. */
const NOT_READY_TAINT = /^(?:ambient\.istio\.io|ambient\.mesh|ambient-mesh)\/|ztunnel/;

export const DATA_PLANE_CHECKS: readonly Check[] = [
  {
    category,
    id: 'ztunnel-on-every-node',
    description: 'every node has a ready ztunnel',
    severity: 'fatal',
    run: snapshot => {
      const ztunnels = snapshot.pods.filter(p => proxyKindOf(p) === 'ztunnel');
      if (ztunnels.length === 0)
        return noneOf(['there is no ztunnel: install the mesh with "ambientctl install"']);
      const linux = snapshot.nodes.filter(
        n => text(child(n.status, 'nodeInfo'), 'operatingSystem') !== 'windows',
      );
      return noneOf(
        linux.flatMap(node => {
          const here = ztunnels.filter(p => nodeOf(p) === node.name);
          if (here.some(p => isReady(p) && isRunning(p))) return [];
          const [first] = here;
          return [
            first === undefined
              ? `node ${node.name} has no ztunnel: its taints or the DaemonSet's nodeSelector keep it away`
              : `node ${node.name}: pod ${first.namespace}/${first.name} is ${podState(first)}, not ready`,
          ];
        }),
        `${linux.length} nodes`,
      );
    },
  },
  {
    category,
    id: 'node-taints',
    description: 'no node is kept empty for want of a ztunnel',
    severity: 'warning',
    run: ({ nodes }) =>
      noneOf(
        nodes.flatMap(node =>
          objects(node.spec, 'taints')
            .filter(taint => NOT_READY_TAINT.test(text(taint, 'key')))
            .map(
              taint =>
                `node ${node.name} has taint ${text(taint, 'key')}: no pod starts there until its ztunnel is ready`,
            ),
        ),
      ),
  },
  {
    category,
    id: 'proxies-answer',
    description: 'every proxy answers at its admin address',
    severity: 'warning',
    run: ({ proxies }) =>
      proxies.length === 0
        ? unknown('no proxy is running')
        : noneOf(
            proxies.flatMap(p => (p.error === undefined ? [] : [`${p.ref.kind} ${p.ref.name}: ${p.error}`])),
            `${proxies.length} proxies`,
          ),
  },
  {
    category,
    id: 'proxies-synced',
    description: 'every proxy has acknowledged its configuration',
    severity: 'fatal',
    run: snapshot => {
      if (proxyPods(snapshot, 'controller').length === 0) return unknown('no controller is running');
      const behind = snapshot.synced.flatMap(({ name, types }) =>
        types
          .filter(type => type.state !== 'synced')
          .map(t => `${name} is ${t.state} for ${t.type}${t.lastNack === '' ? '' : `: ${t.lastNack}`}`),
      );
      const absent = snapshot.proxies
        .filter(
          p =>
            p.ref.kind !== 'controller' &&
            !snapshot.synced.some(s => s.name === `${p.ref.name}.${p.ref.namespace}`),
        )
        .map(
          p =>
            `${p.ref.kind} ${p.ref.name} is connected to no controller: see its log for "discovery stream ended"`,
        );
      return noneOf([...absent, ...behind]);
    },
  },
  {
    category,
    id: 'pods-captured',
    description: 'captured pods are those with the label',
    severity: 'fatal',
    run: snapshot => {
      const running = snapshot.pods.filter(isRunning);
      const labelled = running.filter(pod => wantsCapture(snapshot, pod));
      const outside = labelled.filter(pod => pod.annotations[REDIRECTION] !== 'enabled');
      const stray = running.filter(
        pod => pod.annotations[REDIRECTION] === 'enabled' && !wantsCapture(snapshot, pod),
      );
      return noneOf(
        [
          ...outside.map(
            pod =>
              `pod ${pod.namespace}/${pod.name} has the label and is not captured: ${whyNot(snapshot, pod)}`,
          ),
          ...stray.map(pod => `pod ${pod.namespace}/${pod.name} is captured and no label asks for it`),
        ],
        `${labelled.length} pods`,
      );
    },
  },
  {
    category,
    id: 'proxy-tokens',
    description: "proxies' tokens are projected, for the controller's audience",
    severity: 'fatal',
    run: snapshot => {
      const pods = [...proxyPods(snapshot, 'ztunnel'), ...proxyPods(snapshot, 'waypoint')];
      if (pods.length === 0) return unknown('no proxy is running');
      return noneOf(
        pods
          .filter(pod => !audiencesOf(pod).includes('istio-ca'))
          .map(
            pod =>
              `pod ${pod.namespace}/${pod.name} has no projected token of audience istio-ca: the CA refuses it`,
          ),
      );
    },
  },
  {
    category,
    id: 'system-namespace',
    description: 'the mesh is outside itself',
    severity: 'fatal',
    run: snapshot => {
      const name = systemNamespace(snapshot);
      const namespace = snapshot.namespaces.find(n => n.name === name);
      if (name === undefined || namespace === undefined) return unknown('the mesh is not installed');
      return namespace.labels['istio.io/dataplane-mode'] === 'ambient'
        ? noneOf([`namespace ${name} has the label istio.io/dataplane-mode=ambient: remove it`])
        : ok(name);
    },
  },
  {
    category,
    id: 'kernel-features',
    description: 'nodes can do what capture needs',
    severity: 'fatal',
    run: snapshot => {
      const told = answered(snapshot).filter(p => 'kernel' in p.dump.raw);
      const lacking = told.flatMap(({ ref, dump }) =>
        Object.entries(child(dump.raw, 'kernel'))
          .filter(([, value]) => value === false)
          .map(
            ([name]) => `node ${ref.node} lacks ${name}: load the kernel module, or keep meshed pods off it`,
          ),
      );
      if (lacking.length > 0) return noneOf(lacking);
      // A captured pod is proof too.
      const proven = new Set([...told.map(p => p.ref.node), ...capturedPods(snapshot).map(nodeOf)]);
      const open = proxyPods(snapshot, 'ztunnel')
        .map(nodeOf)
        .filter(node => !proven.has(node));
      return open.length > 0 ? unknown(`nothing is captured yet on node ${open.sort().join(', ')}`) : OK;
    },
  },
];

/** What the node agent said of the pod last. */
function whyNot(snapshot: ClusterSnapshot, pod: KubeObject): string {
  const told = (snapshot.events ?? []).findLast(event => {
    const about = child(event.raw, 'involvedObject');
    return text(about, 'name') === pod.name && text(about, 'namespace') === pod.namespace && isOurs(event);
  });
  if (told !== undefined) return text(told.raw, 'message');
  return pod.annotations[REDIRECTION] === 'pending'
    ? 'capture is under way; if it stays so: ambientctl logs --node ' + nodeOf(pod)
    : `see: ambientctl logs --node ${nodeOf(pod)}`;
}

function isOurs(event: KubeObject): boolean {
  const reporter = text(event.raw, 'reportingComponent') || text(child(event.raw, 'source'), 'component');
  return /ztunnel|ambient/.test(reporter);
}

function capturedPods({ pods }: ClusterSnapshot): readonly KubeObject[] {
  return pods.filter(pod => isRunning(pod) && pod.annotations[REDIRECTION] === 'enabled');
}

function audiencesOf(pod: KubeObject): string[] {
  return objects(pod.spec, 'volumes')
    .flatMap(volume => objects(child(volume, 'projected'), 'sources'))
    .map(source => text(child(source, 'serviceAccountToken'), 'audience'));
}
