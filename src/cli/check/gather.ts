import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { VERSION } from '#shared/config/version.ts';
import { fetchJson } from '../admin-client.ts';
import { cliErrorOf } from '../cli-error.ts';
import { ClusterProxies } from '../cluster-proxies.ts';
import type { Cluster } from '../cluster/kube-api.ts';
import { ForbiddenError } from '../cluster/operator-api.ts';
import {
  CONFIG_MAP,
  CUSTOM_RESOURCE_DEFINITION,
  DAEMON_SET,
  DEPLOYMENT,
  EVENT,
  GATEWAY,
  LEASE,
  NAMESPACE,
  NETWORK_POLICY,
  NODE,
  POD,
  SERVICE,
} from '../cluster/kinds.ts';
import type { KubeObject, ObjectKind } from '../cluster/kube-object.ts';
import { decodeConfigDump } from '../config-dump.ts';
import { children, text, texts } from '#shared/config/json-fields.ts';
import type { ProxyRef } from '../proxies.ts';
import { askControllers } from '../proxy-standing.ts';
import type { AskedProxy, ClusterSnapshot, NodeReport, RejectedObject } from './cluster-snapshot.ts';
import { otherObjects } from './other-kinds.ts';

/** What an installation creates. */
const NEEDED_RIGHTS: readonly (readonly [string, ObjectKind])[] = [
  ['create', NAMESPACE],
  ['create', CUSTOM_RESOURCE_DEFINITION],
  ['create', { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', plural: 'clusterroles' }],
  [
    'create',
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', plural: 'clusterrolebindings' },
  ],
  ['create', DEPLOYMENT],
  ['create', DAEMON_SET],
  ['create', SERVICE],
  ['create', CONFIG_MAP],
];

/** Asks the API server and every proxy. @throws CliError when the API server cannot be reached; all else is in the snapshot */
export async function gatherSnapshot(cluster: Cluster, nowMs: number): Promise<ClusterSnapshot> {
  const { api } = cluster;
  const serverVersion = await api.version();
  const unlisted = new Set<string>();
  const list = (kind: ObjectKind): Promise<readonly KubeObject[] | undefined> =>
    listIfAllowed(cluster, kind, unlisted);
  const [nodes = [], namespaces = [], pods = [], services = []] = await Promise.all(
    [NODE, NAMESPACE, POD, SERVICE].map(list),
  );
  const [crds, gateways, networkPolicies, leases, deployments, daemonSets, configMaps, events] =
    await Promise.all(
      [
        CUSTOM_RESOURCE_DEFINITION,
        GATEWAY,
        NETWORK_POLICY,
        LEASE,
        DEPLOYMENT,
        DAEMON_SET,
        CONFIG_MAP,
        EVENT,
      ].map(list),
    );
  const refs = await new ClusterProxies(cluster).list();
  const controllers = refs.filter(ref => ref.kind === 'controller');
  const ztunnels = refs.filter(ref => ref.kind === 'ztunnel');
  const [proxies, nodeReports, { known: synced }, rejected, others, forbidden] = await Promise.all([
    Promise.all(refs.map(askProxy)),
    Promise.all(ztunnels.map(askNode)),
    askControllers(controllers),
    rejectedObjects(controllers),
    otherObjects(cluster, crds),
    forbiddenOf(cluster),
  ]);
  return {
    nowMs,
    clientVersion: VERSION,
    serverVersion,
    nodes,
    namespaces,
    pods,
    services,
    crds,
    gateways,
    networkPolicies,
    leases,
    deployments,
    daemonSets,
    configMaps,
    events,
    proxies,
    nodeReports: nodeReports.flatMap(report => report ?? []),
    synced,
    rejected,
    others,
    unlisted,
    forbidden,
  };
}

/** What we may not see is unknown, not absent: the check says so. */
async function listIfAllowed(
  { api }: Cluster,
  kind: ObjectKind,
  unlisted: Set<string>,
): Promise<readonly KubeObject[] | undefined> {
  try {
    return await api.list(kind);
  } catch (error) {
    if (!(error instanceof ForbiddenError)) throw error;
    unlisted.add(kind.plural);
    return undefined;
  }
}

async function askProxy(ref: ProxyRef): Promise<AskedProxy> {
  try {
    return { ref, dump: decodeConfigDump(await fetchJson(ref.admin, '/config_dump')), error: undefined };
  } catch (error) {
    return { ref, dump: undefined, error: cliErrorOf(error).message };
  }
}

/** Undefined when it does not answer, or is of a version that does not tell. */
async function askNode({ admin, node }: ProxyRef): Promise<NodeReport | undefined> {
  const answer = await fetchJson(admin, '/debug/pods').catch(() => undefined);
  if (!isJsonObject(answer)) return undefined;
  const pods = children(answer, 'pods').map(pod => ({
    name: `${text(pod, 'namespace')}/${text(pod, 'name')}`,
    state: text(pod, 'state'),
    message: text(pod, 'message'),
  }));
  return { node, pods, warnings: texts(answer, 'warnings'), waiting: texts(answer, 'waiting') };
}

/** Replicas read the same objects: the first that answers speaks for all. */
async function rejectedObjects(
  controllers: readonly ProxyRef[],
): Promise<readonly RejectedObject[] | undefined> {
  for (const { admin } of controllers) {
    const answers = await Promise.all(
      ['rejected', 'stale'].map(state => fetchJson(admin, `/debug/objects?state=${state}`)),
    ).catch(() => undefined);
    if (answers === undefined) continue;
    return answers.flatMap(answer =>
      (isJsonObject(answer) ? children(answer, 'objects') : []).map(decodeRejected),
    );
  }
  return undefined;
}

function decodeRejected(object: JsonObject): RejectedObject {
  const reasons = children(object, 'diagnostics').map(d =>
    [text(d, 'field'), text(d, 'value'), text(d, 'message')].filter(part => part !== '').join(' '),
  );
  return { name: text(object, 'key'), reasons };
}

async function forbiddenOf({ api }: Cluster): Promise<readonly string[]> {
  const answers = await Promise.all(
    NEEDED_RIGHTS.map(async ([verb, kind]) =>
      (await api.mayI(verb, kind)) ? [] : [`${verb} ${kind.plural}`],
    ),
  );
  return answers.flat();
}
