import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { fetchJson } from '../admin-client.ts';
import { CliError, cliErrorOf } from '../cli-error.ts';
import {
  type ConfigDump,
  decodeConfigDump,
  type DumpedCertificate,
  type DumpedService,
  type DumpedWorkload,
} from '../config-dump.ts';
import { children, text } from '#shared/config/json-fields.ts';
import type { ProxyRef } from '../proxies.ts';
import type { PolicyLine } from './description.ts';

/** What the proxies know and would do about some workloads and services. */
export interface MeshFacts {
  readonly workloads: readonly DumpedWorkload[];
  readonly services: readonly DumpedService[];
  /** By node. */
  readonly ztunnels: ReadonlyMap<string, ZtunnelFacts>;
  /** By `<namespace>/<hostname>` of the waypoint's service. */
  readonly waypoints: ReadonlyMap<string, WaypointFacts>;
  /** `Kind/namespace/name` → `accepted`, or why not, as the controller has it. */
  readonly objectStates: ReadonlyMap<string, string>;
}

export interface ZtunnelFacts {
  readonly name: string;
  readonly certificates: readonly DumpedCertificate[];
  /** By workload uid: what its ztunnel evaluates. A uid is missing when it could not be asked. */
  readonly policies: ReadonlyMap<string, readonly PolicyLine[]>;
  /** By `<namespace>/<name>`: whether the pod's DNS goes to it. A pod is missing when it does not tell. */
  readonly dns: ReadonlyMap<string, boolean>;
}

export interface WaypointFacts {
  readonly name: string;
  readonly readyPods: number;
  readonly pods: number;
  /** Why none of its pods could be asked. */
  readonly error: string | undefined;
  /** By `<namespace>/<hostname>` of the services behind it. */
  readonly policies: ReadonlyMap<string, readonly PolicyLine[]>;
  readonly routes: ReadonlyMap<string, JsonObject>;
  /** Names of their endpoints, as it knows them. */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
}

/** The wanted ones among all: what has to be asked about. */
export interface Wanted {
  readonly workloads: readonly DumpedWorkload[];
  readonly services: readonly DumpedService[];
}

/** So many pods are asked about, one by one; a description of more says so. */
export const MAX_PODS = 50;

/** @throws CliError when no ztunnel answers; what else does not is left out, and its description says so */
export async function gatherFacts(
  proxies: readonly ProxyRef[],
  choose: (all: Wanted) => Wanted,
): Promise<MeshFacts> {
  const ztunnels = await dumpsOf(proxies.filter(p => p.kind === 'ztunnel'));
  const workloads = unique(
    ztunnels.flatMap(z => z.dump.workloads),
    w => w.uid,
  );
  const services = unique(
    ztunnels.flatMap(z => z.dump.services),
    serviceKey,
  );
  const wanted = choose({ workloads, services });
  const names = new Set(
    [...wanted.services.map(s => s.waypoint), ...wanted.workloads.map(w => w.waypoint)].filter(
      w => w !== 'None',
    ),
  );
  const [zFacts, wFacts, objectStates] = await Promise.all([
    Promise.all(ztunnels.map(async z => [z.ref.node, await askZtunnel(z, wanted)] as const)),
    Promise.all(
      [...names].map(async name => [name, await askWaypoint(name, workloads, proxies, wanted)] as const),
    ),
    askController(proxies),
  ]);
  return { workloads, services, ztunnels: byNode(zFacts), waypoints: new Map(wFacts), objectStates };
}

/** Where pods have ztunnels of their own there are several on a node, each with the certificates of its pod. */
function byNode(facts: readonly (readonly [string, ZtunnelFacts])[]): ReadonlyMap<string, ZtunnelFacts> {
  const nodes = new Map<string, ZtunnelFacts>();
  for (const [node, more] of facts) {
    const { name, certificates, dns, policies } = nodes.get(node) ?? more;
    nodes.set(node, {
      name,
      certificates: [...new Set([...certificates, ...more.certificates])],
      policies: new Map([...more.policies, ...policies]),
      dns: new Map([...more.dns, ...dns]),
    });
  }
  return nodes;
}

export function serviceKey(service: DumpedService): string {
  return `${service.namespace}/${service.hostname}`;
}

interface Dumped {
  readonly ref: ProxyRef;
  readonly dump: ConfigDump;
}

async function dumpsOf(refs: readonly ProxyRef[]): Promise<Dumped[]> {
  if (refs.length === 0) throw new CliError('no ztunnel is running');
  const answers = await Promise.allSettled(
    refs.map(async ref => ({ ref, dump: decodeConfigDump(await fetchJson(ref.admin, '/config_dump')) })),
  );
  const dumps = answers.flatMap(a => (a.status === 'fulfilled' ? [a.value] : []));
  if (dumps.length > 0) return dumps;
  const failed: unknown = answers.find(a => a.status === 'rejected')?.reason;
  throw failed instanceof CliError ? failed : new CliError('no ztunnel answered');
}

function unique<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map(item => [key(item), item])).values()];
}

async function askZtunnel({ ref, dump }: Dumped, wanted: Wanted): Promise<ZtunnelFacts> {
  const here = wanted.workloads.filter(w => w.node === ref.node).slice(0, MAX_PODS);
  const answers = await Promise.all(
    here.map(async w => [w.uid, await policiesOf(ref, new URLSearchParams({ workload: w.uid }))] as const),
  );
  const { certificates } = dump;
  return { name: ref.name, certificates, policies: withAnswers(answers), dns: await capturedDns(ref) };
}

/** Nothing of one that captures nothing, or is of a version that does not tell. */
async function capturedDns({ admin }: ProxyRef): Promise<ReadonlyMap<string, boolean>> {
  const answer = await fetchJson(admin, '/debug/pods').catch(() => undefined);
  const pods = isJsonObject(answer) ? children(answer, 'pods') : [];
  return new Map(
    pods.flatMap(pod => {
      const { dns } = pod;
      return typeof dns === 'boolean'
        ? [[`${text(pod, 'namespace')}/${text(pod, 'name')}`, dns] as const]
        : [];
    }),
  );
}

/** @param name `<namespace>/<hostname>` of the waypoint's service */
export function podsOfWaypoint(
  name: string,
  workloads: readonly DumpedWorkload[],
  proxies: readonly ProxyRef[],
): readonly ProxyRef[] {
  const pods = workloads.filter(w => w.serviceNames.includes(name));
  return proxies.filter(
    p => p.kind === 'waypoint' && pods.some(w => w.name === p.pod && w.namespace === p.namespace),
  );
}

async function askWaypoint(
  name: string,
  workloads: readonly DumpedWorkload[],
  proxies: readonly ProxyRef[],
  wanted: Wanted,
): Promise<WaypointFacts> {
  const pods = workloads.filter(w => w.serviceNames.includes(name));
  const base = { name, pods: pods.length, readyPods: pods.filter(w => w.status === 'healthy').length };
  const nothing = {
    policies: new Map<string, readonly PolicyLine[]>(),
    routes: new Map<string, JsonObject>(),
    endpoints: new Map<string, readonly string[]>(),
  };
  const [ref] = podsOfWaypoint(name, pods, proxies);
  if (ref === undefined) return { ...base, ...nothing, error: 'no pod of it is running' };
  try {
    const dump = await fetchJson(ref.admin, '/config_dump');
    const routes = isJsonObject(dump) ? children(dump, 'routes') : [];
    const behind = wanted.services.filter(s => s.waypoint === name).map(serviceKey);
    const answers = await Promise.all(
      behind.map(
        async service =>
          [service, await policiesOf(ref, new URLSearchParams({ service, method: 'GET' }))] as const,
      ),
    );
    const byService = routes.map(r => [`${text(r, 'namespace')}/${text(r, 'hostname')}`, r] as const);
    const { workloads: known } = decodeConfigDump(dump);
    const endpoints = behind.map(service => [service, namesOf(known, service)] as const);
    return {
      ...base,
      error: undefined,
      policies: withAnswers(answers),
      routes: new Map(byService),
      endpoints: new Map(endpoints),
    };
  } catch (error) {
    return { ...base, ...nothing, error: cliErrorOf(error).message };
  }
}

/** Several addresses of one host have its name. */
function namesOf(workloads: readonly DumpedWorkload[], service: string): readonly string[] {
  const endpoints = workloads.filter(w => w.serviceNames.includes(service));
  return [...new Set(endpoints.map(w => w.name))].sort();
}

/** What a proxy evaluates there; undefined when it does not know the destination (yet). */
async function policiesOf(ref: ProxyRef, query: URLSearchParams): Promise<PolicyLine[] | undefined> {
  try {
    const answer = await fetchJson(ref.admin, `/authz/check?${query.toString()}`);
    return (isJsonObject(answer) ? children(answer, 'policies') : []).map(p => ({
      name: text(p, 'name'),
      action: text(p, 'action'),
      scope: text(p, 'scope'),
      dryRun: p['dryRun'] === true,
    }));
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}

function withAnswers<K, V>(entries: readonly (readonly [K, V | undefined])[]): Map<K, V> {
  return new Map(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
}

/** Replicas read the same objects: the first that answers speaks for all. */
async function askController(proxies: readonly ProxyRef[]): Promise<Map<string, string>> {
  for (const { admin } of proxies.filter(p => p.kind === 'controller')) {
    const answer = await fetchJson(admin, '/debug/objects').catch(() => undefined);
    if (!isJsonObject(answer)) continue;
    return new Map(children(answer, 'objects').map(o => [text(o, 'key'), stateOf(o)]));
  }
  return new Map();
}

function stateOf(object: JsonObject): string {
  const state = text(object, 'state');
  const [first] = children(object, 'diagnostics');
  return first === undefined ? state : `${state}: ${text(first, 'field')} ${text(first, 'message')}`;
}
