import { fullName, type KubeObject } from '../../cluster/kube-object.ts';
import { REDIRECTION } from '../../cluster/mesh-labels.ts';
import { isReady, isRunning, nodeOf, podState, proxyKindOf } from '../../cluster/mesh-pods.ts';
import { child, children, text } from '#shared/config/json-fields.ts';
import { type Check, noneOf, OK, ok, type Outcome, unknown } from '../check.ts';
import {
  answered,
  type AskedProxy,
  type ClusterSnapshot,
  type NodeReport,
  proxyPods,
  systemNamespace,
  wantsCapture,
} from '../cluster-snapshot.ts';
import { noPodsOf } from './no-pods.ts';
import { PODS_ADMITTED_CHECK } from './pods-admitted.ts';
import { waitingOf } from './pods-start.ts';
import { STATE_WRITTEN_CHECK } from './state-written.ts';

const category = 'data plane';
/** Of the cluster itself, for a node that is not ready, and of whoever wants pods to wait for the mesh. */
const KEEPS_EMPTY =
  /^(?:node\.kubernetes\.io\/not-ready|node\.kubernetes\.io\/unreachable|.*ztunnel.*|.*ambient.*)$/;
/** How `/debug/pods` of a ztunnel says it. */
const NOT_CHAINED = 'the CNI plugin is not in the chain';
const NOT_ANSWERED = 'the CNI plugin is not answered';
const NOT_EXEMPT = 'probes are not exempt';
const NO_ROOM = 'connection tracking of';
const NO_PLACE = 'connections are refused';
/** What capture fails with where the kernel cannot do it. */
const KERNEL_FAULT = /\bnft\b|setns|nf_tables|Operation not (?:permitted|supported)|EPERM|ENOSYS|EOPNOTSUPP/;

export const DATA_PLANE_CHECKS: readonly Check[] = [
  {
    category,
    id: 'ztunnel-on-every-node',
    description: 'every node has a ready ztunnel',
    severity: 'fatal',
    run: snapshot => {
      const ztunnels = snapshot.pods.filter(p => proxyKindOf(p) === 'ztunnel');
      if (ztunnels.length === 0) return noneOf([noPodsOf(snapshot.daemonSets, 'ztunnel')]);
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
              : `node ${node.name}: pod ${first.namespace}/${first.name} is ${podState(first)}, not ready${waitsFor(snapshot, node.name)}`,
          ];
        }),
        `${linux.length} nodes`,
      );
    },
  },
  {
    category,
    id: 'node-taints',
    description: 'no node is kept empty',
    severity: 'warning',
    run: ({ nodes }) =>
      noneOf(
        nodes.flatMap(node =>
          children(node.spec, 'taints')
            .map(taint => text(taint, 'key'))
            .filter(key => KEEPS_EMPTY.test(key))
            .map(key => `node ${node.name} has taint ${key}: no pod starts there`),
        ),
      ),
  },
  {
    category,
    id: 'cni-chain',
    description: 'the CNI plugin is in the chain of every node',
    severity: 'fatal',
    run: ({ nodeReports }) => warnedOf(nodeReports, NOT_CHAINED),
  },
  {
    category,
    id: 'cni-answered',
    description: 'the CNI plugin finds a ztunnel on every node',
    severity: 'fatal',
    run: ({ nodeReports }) => warnedOf(nodeReports, NOT_ANSWERED),
  },
  { ...PODS_ADMITTED_CHECK, category },
  {
    category,
    id: 'probes-exempt',
    description: 'probes of the kubelet reach captured pods',
    severity: 'fatal',
    run: ({ nodeReports }) => warnedOf(nodeReports, NOT_EXEMPT),
  },
  {
    category,
    id: 'connections-bounded',
    description: 'no pod has as many connections as it may',
    severity: 'warning',
    run: ({ nodeReports }) => warnedOf(nodeReports, NO_PLACE),
  },
  {
    category,
    id: 'proxies-answer',
    description: 'every proxy answers at its admin address',
    severity: 'warning',
    run: snapshot => {
      const proxies = startedProxies(snapshot);
      if (proxies.length === 0) return unknown('no proxy is running');
      return noneOf(
        proxies.flatMap(p => (p.error === undefined ? [] : [`${p.ref.kind} ${p.ref.name}: ${p.error}`])),
        `${proxies.length} proxies`,
      );
    },
  },
  {
    category,
    id: 'proxies-synced',
    description: 'every proxy has acknowledged its configuration',
    severity: 'fatal',
    run: snapshot => {
      if (proxyPods(snapshot, 'controller').length === 0) return unknown('no controller is running');
      if (snapshot.proxies.every(p => p.ref.kind === 'controller')) return unknown('no proxy is running');
      const behind = snapshot.synced.flatMap(({ name, types }) =>
        types
          .filter(type => type.state !== 'synced')
          .map(t => `${name} is ${t.state} for ${t.type}${t.lastNack === '' ? '' : `: ${t.lastNack}`}`),
      );
      const absent = startedProxies(snapshot)
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
    id: 'conntrack-room',
    description: 'the kernel has room for new connections',
    severity: 'fatal',
    run: ({ nodeReports }) => warnedOf(nodeReports, NO_ROOM),
  },
  { ...STATE_WRITTEN_CHECK, category },
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
    id: 'native-engine',
    description: 'proxies carry traffic on the native engine',
    severity: 'warning',
    run: snapshot => {
      const told = answered(snapshot).flatMap(({ dump, ref }) =>
        dump.engine === undefined || ref.kind === 'controller' ? [] : [{ ref, engine: dump.engine }],
      );
      if (told.length === 0) return unknown('no proxy tells what it runs on');
      return noneOf(
        told
          .filter(({ engine }) => engine.name !== 'native')
          .map(({ engine, ref }) => `${ref.kind} ${ref.name} runs on the portable one: ${engine.reason}`),
        `${told.length} proxies`,
      );
    },
  },
  {
    category,
    id: 'kernel-features',
    description: 'nodes can do what capture needs',
    severity: 'fatal',
    run: snapshot => {
      const failed = snapshot.nodeReports.flatMap(({ node, pods }) =>
        pods
          .filter(pod => pod.state === 'failed' && KERNEL_FAULT.test(pod.message))
          .map(pod => `node ${node}, for pod ${pod.name}: ${pod.message}`),
      );
      if (failed.length > 0) return noneOf(failed);
      // A captured pod is the proof.
      const proven = new Set(capturedPods(snapshot).map(nodeOf));
      const ztunnels = proxyPods(snapshot, 'ztunnel').map(nodeOf);
      if (ztunnels.length === 0) return unknown('no ztunnel is running');
      const open = ztunnels.filter(node => !proven.has(node));
      return open.length > 0 ? unknown(`nothing is captured yet on node ${open.sort().join(', ')}`) : OK;
    },
  },
];

/** Of one that does not start everything is amiss: `pods-start` says so once. */
function startedProxies({ pods, proxies }: ClusterSnapshot): readonly AskedProxy[] {
  return proxies.filter(({ ref }) => {
    const pod = pods.find(p => p.name === ref.pod && p.namespace === ref.namespace);
    return pod === undefined || waitingOf(pod) === undefined;
  });
}

/** What its ztunnel says it waits for. */
function waitsFor({ nodeReports }: ClusterSnapshot, node: string): string {
  const [first, ...more] = nodeReports.filter(r => r.node === node).flatMap(r => r.waiting);
  if (first === undefined) return '';
  return more.length === 0 ? `: ${first}` : `: ${first} (and ${more.length} more)`;
}

/** The nodes whose ztunnel warns of this. */
function warnedOf(nodeReports: readonly NodeReport[], beginning: string): Outcome {
  if (nodeReports.length === 0) return unknown('no ztunnel tells');
  return noneOf(
    nodeReports.flatMap(({ node, warnings }) =>
      warnings.filter(w => w.startsWith(beginning)).map(warning => `node ${node}: ${warning}`),
    ),
    `${nodeReports.length} nodes`,
  );
}

/** What the node agent says of the pod: itself, or in the last event of the pod. */
function whyNot(snapshot: ClusterSnapshot, pod: KubeObject): string {
  const name = fullName(pod);
  const report = snapshot.nodeReports.flatMap(r => r.pods).find(p => p.name === name);
  if (report !== undefined && report.message !== '') return report.message;
  const told = (snapshot.events ?? []).findLast(event => {
    const about = child(event.raw, 'involvedObject');
    return text(about, 'name') === pod.name && text(about, 'namespace') === pod.namespace && isOurs(event);
  });
  return told === undefined ? `see: ambientctl logs --node ${nodeOf(pod)}` : text(told.raw, 'message');
}

function isOurs(event: KubeObject): boolean {
  const reporter = text(event.raw, 'reportingComponent') || text(child(event.raw, 'source'), 'component');
  return /ztunnel|ambient/.test(reporter);
}

function capturedPods({ pods }: ClusterSnapshot): readonly KubeObject[] {
  return pods.filter(pod => isRunning(pod) && pod.annotations[REDIRECTION] === 'enabled');
}

function audiencesOf(pod: KubeObject): string[] {
  return children(pod.spec, 'volumes')
    .flatMap(volume => children(child(volume, 'projected'), 'sources'))
    .map(source => text(child(source, 'serviceAccountToken'), 'audience'));
}
