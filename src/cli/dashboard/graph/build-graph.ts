import type { GraphKind, GraphNode, Security } from '#shared/dashboard/frames.ts';
import type { Inventory, KnownWorkload } from '../inventory/inventory.ts';
import { MESHED } from '../inventory/inventory.ts';
import {
  addCount,
  emptyCount,
  type Flow,
  type FlowCount,
  type FlowEnd,
  type Reporter,
} from '../traffic/flow.ts';
import type { CountedFlow } from '../traffic/traffic-log.ts';

/** Who talks to whom, with what passed. */
export interface MeshGraph {
  readonly nodes: ReadonlyMap<string, GraphNode>;
  readonly edges: readonly CountedEdge[];
}

export interface CountedEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly count: FlowCount;
  readonly open: number;
  /** As long as flows are remembered. */
  readonly denied: number;
  readonly security: Security;
  readonly sourceIdentities: readonly string[];
  readonly destinationIdentities: readonly string[];
  readonly waypoints: readonly string[];
}

export const OUTSIDE = 'outside';

/**
 * Pure. By service: logical, from the service of a client to the one it asked for, whatever is between. By workload: as the connections are,
 * so that a waypoint is a node of its own.
 */
export function buildGraph(flows: readonly CountedFlow[], inventory: Inventory, by: GraphKind): MeshGraph {
  const builder = new GraphBuilder(inventory);
  if (by === 'service') {
    for (const [key, service] of inventory.services) if (!service.isWaypoint) builder.serviceNode(key);
    for (const [key, w] of inventory.workloads)
      if (w.services.length === 0 && w.isWaypointOf === '') builder.workloadNode(key);
    for (const counted of flows) builder.learn(counted);
    for (const counted of flows) builder.addByService(counted);
  } else {
    for (const key of inventory.workloads.keys()) builder.workloadNode(key);
    for (const counted of flows) builder.addByWorkload(counted);
  }
  return builder.graph();
}

/** What came to each node. */
export function inboundOf(edges: readonly CountedEdge[]): Map<string, { count: FlowCount; open: number }> {
  const sums = new Map<string, { count: FlowCount; open: number }>();
  for (const { count, open, to } of edges) {
    const sum = sums.get(to) ?? { count: emptyCount(), open: 0 };
    addCount(sum.count, count);
    sum.open += open;
    sums.set(to, sum);
  }
  return sums;
}

interface Reported {
  readonly count: FlowCount;
  open: number;
  denied: number;
}

interface Draft {
  readonly from: string;
  readonly to: string;
  /** The same connections are told by several: they are not added up. */
  readonly reports: Map<Reporter, Reported>;
  secure: number;
  plain: number;
  readonly sourceIdentities: Set<string>;
  readonly destinationIdentities: Set<string>;
  readonly waypoints: Set<string>;
}

class GraphBuilder {
  readonly #inventory: Inventory;
  readonly #nodes = new Map<string, GraphNode>();
  readonly #drafts = new Map<string, Draft>();
  /** Which service a workload asked another one for. */
  readonly #asked = new Map<string, string>();

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  graph(): MeshGraph {
    return { nodes: this.#nodes, edges: [...this.#drafts].map(([id, draft]) => edgeOf(id, draft)) };
  }

  /** Only the client's side knows which service was asked for: the server's may be of several. */
  learn({ flow }: CountedFlow): void {
    if (flow.reporter === 'source' && flow.service !== '' && flow.destination.workload !== '')
      this.#asked.set(pairOf(flow), flow.service);
  }

  addByService(counted: CountedFlow): void {
    const { flow } = counted;
    const between = this.#waypointOf(flow.source);
    // The way from a waypoint to an endpoint is a part of the edge that the waypoint itself tells of.
    if (between !== undefined && flow.reporter !== 'waypoint') return;
    const from = this.#serviceEnd(flow.source);
    const service = flow.service === '' ? this.#asked.get(pairOf(flow)) : flow.service;
    const to = service === undefined ? this.#serviceEnd(flow.destination) : this.serviceNode(service);
    const draft = this.#add(from, to, counted, counted.count);
    const via =
      flow.reporter === 'waypoint'
        ? this.#inventory.waypointOfPod.get(flow.waypointPod)
        : this.#inventory.waypointOfIdentity.get(flow.destination.identity);
    if (via !== undefined) draft.waypoints.add(via);
    identify(
      draft,
      flow.source,
      via === undefined || flow.reporter === 'waypoint' ? flow.destination : undefined,
    );
    judge(draft, counted, flow.isSecure && !isPlainBehindWaypoint(flow));
  }

  addByWorkload(counted: CountedFlow): void {
    const { flow } = counted;
    if (flow.reporter !== 'waypoint') {
      const to = this.#destinationNode(flow);
      const draft = this.#add(this.#workloadEnd(flow.source), to, counted, counted.count);
      identify(draft, flow.source, flow.destination);
      judge(draft, counted, flow.isSecure);
      return;
    }
    const waypoint = this.#waypointNode(flow.waypointPod);
    const first = this.#add(this.#workloadEnd(flow.source), waypoint, counted, counted.count);
    identify(first, flow.source, undefined);
    judge(first, counted, flow.isSecure);
    if (flow.destination.workload === '') return;
    const passed = { ...counted.count, denied: 0 };
    const second = this.#add(
      waypoint,
      this.#workloadEnd(flow.destination),
      { ...counted, denied: 0 },
      passed,
    );
    identify(second, undefined, flow.destination);
    judge(second, counted, flow.destination.identity !== '');
  }

  serviceNode(key: string): string {
    const id = `service/${key}`;
    if (this.#nodes.has(id)) return id;
    const [namespace = '', name = ''] = splitKey(key);
    const known = this.#inventory.services.get(key);
    const waypoint = known?.waypoint ?? '';
    this.#nodes.set(id, { id, kind: 'service', namespace, name, ...podsOf(known?.pods ?? []), waypoint });
    return id;
  }

  workloadNode(key: string): string {
    const id = `workload/${key}`;
    if (this.#nodes.has(id)) return id;
    const [namespace = '', name = ''] = splitKey(key);
    const known = this.#inventory.workloads.get(key);
    const kind = known !== undefined && known.isWaypointOf !== '' ? 'waypoint' : 'workload';
    const waypoint = known?.waypoint ?? '';
    this.#nodes.set(id, { id, kind, namespace, name, ...podsOf(known?.pods ?? []), waypoint });
    return id;
  }

  #outsideNode(): string {
    const pods = { pods: 0, healthyPods: 0, meshedPods: 0 };
    const node = {
      id: OUTSIDE,
      kind: OUTSIDE,
      namespace: '',
      name: 'outside the mesh',
      waypoint: '',
    } as const;
    this.#nodes.set(OUTSIDE, { ...node, ...pods });
    return OUTSIDE;
  }

  #waypointOf({ identity, namespace, workload }: FlowEnd): string | undefined {
    const known = this.#inventory.workloads.get(`${namespace}/${workload}`);
    if (known !== undefined) return known.isWaypointOf === '' ? undefined : known.isWaypointOf;
    return this.#inventory.waypointOfIdentity.get(identity);
  }

  #serviceEnd({ namespace, workload }: FlowEnd): string {
    if (workload === '') return this.#outsideNode();
    const key = `${namespace}/${workload}`;
    const [service] = this.#inventory.workloads.get(key)?.services ?? [];
    return service === undefined ? this.workloadNode(key) : this.serviceNode(service);
  }

  #workloadEnd(end: FlowEnd): string {
    if (end.workload !== '') return this.workloadNode(`${end.namespace}/${end.workload}`);
    const waypoint = this.#waypointOf(end);
    return waypoint === undefined ? this.#outsideNode() : this.#nodeOfWaypoint(waypoint);
  }

  /** Behind a waypoint a ztunnel knows the waypoint and the service; of what is outside, the service alone. */
  #destinationNode(flow: Flow): string {
    const isKnown = flow.destination.workload !== '' || this.#waypointOf(flow.destination) !== undefined;
    return isKnown || flow.service === ''
      ? this.#workloadEnd(flow.destination)
      : this.serviceNode(flow.service);
  }

  #waypointNode(pod: string): string {
    const waypoint = this.#inventory.waypointOfPod.get(pod);
    return waypoint === undefined ? this.workloadNode(pod) : this.#nodeOfWaypoint(waypoint);
  }

  #nodeOfWaypoint(waypoint: string): string {
    const isOfIt = ([, w]: readonly [string, KnownWorkload]): boolean => w.isWaypointOf === waypoint;
    const [key = waypoint] = [...this.#inventory.workloads].find(isOfIt) ?? [];
    return this.workloadNode(key);
  }

  #add(from: string, to: string, counted: CountedFlow, count: FlowCount): Draft {
    const id = `${from} ${to}`;
    const draft = this.#drafts.get(id) ?? newDraft(from, to);
    this.#drafts.set(id, draft);
    const { reporter } = counted.flow;
    const reported = draft.reports.get(reporter) ?? { count: emptyCount(), open: 0, denied: 0 };
    draft.reports.set(reporter, reported);
    addCount(reported.count, count);
    reported.open += counted.open;
    reported.denied += counted.denied;
    return draft;
  }
}

function pairOf({ destination, source }: Flow): string {
  return [source.namespace, source.workload, destination.namespace, destination.workload].join('\0');
}

function newDraft(from: string, to: string): Draft {
  return {
    from,
    to,
    reports: new Map(),
    secure: 0,
    plain: 0,
    sourceIdentities: new Set(),
    destinationIdentities: new Set(),
    waypoints: new Set(),
  };
}

function splitKey(key: string): readonly string[] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash), key.slice(slash + 1)];
}

function podsOf(
  pods: readonly { readonly healthy: boolean; readonly protocol: string }[],
): Pick<GraphNode, 'pods' | 'healthyPods' | 'meshedPods'> {
  return {
    pods: pods.length,
    healthyPods: pods.filter(p => p.healthy).length,
    meshedPods: pods.filter(p => p.protocol === MESHED).length,
  };
}

/** Its answer came from a workload that proved nothing. */
function isPlainBehindWaypoint({ destination, reporter }: Flow): boolean {
  return reporter === 'waypoint' && destination.workload !== '' && destination.identity === '';
}

function identify(draft: Draft, source: FlowEnd | undefined, destination: FlowEnd | undefined): void {
  if (source !== undefined && source.identity !== '') draft.sourceIdentities.add(source.identity);
  if (destination !== undefined && destination.identity !== '')
    draft.destinationIdentities.add(destination.identity);
}

/** What never was connected proves nothing. */
function judge(draft: Draft, { count, flow, open }: CountedFlow, isSecure: boolean): void {
  const wasOnlyRefused = count.requests + count.opened + open === 0 && count.denied + count.failed > 0;
  if (wasOnlyRefused && !flow.isSecure) return;
  if (isSecure) draft.secure++;
  else draft.plain++;
}

/** Who is believed of connections, before the others: nearest to who opened them. */
const BELIEVED: readonly Reporter[] = ['source', 'destination', 'waypoint'];

function edgeOf(id: string, draft: Draft): CountedEdge {
  const { reports } = draft;
  const connections = BELIEVED.flatMap(reporter => reports.get(reporter) ?? [])[0];
  const waypoint = reports.get('waypoint');
  const ends = (['source', 'destination'] as const).flatMap(reporter => reports.get(reporter) ?? []);
  // A request that a waypoint refuses is none of a connection's failures; a connection that it refuses is told by its client, too.
  const both = (waypoint?.count.requests ?? 0) > 0;
  const denials = (of: (reported: Reported) => number): number => {
    const [atEnds, there] = [Math.max(0, ...ends.map(of)), waypoint === undefined ? 0 : of(waypoint)];
    return both ? atEnds + there : Math.max(atEnds, there);
  };
  const count: FlowCount = {
    ...(connections?.count ?? emptyCount()),
    requests: waypoint?.count.requests ?? 0,
    failures: waypoint?.count.failures ?? 0,
    buckets: waypoint?.count.buckets ?? new Map<number, number>(),
    denied: denials(r => r.count.denied),
    failed: Math.max(0, ...[...reports.values()].map(r => r.count.failed)),
  };
  return {
    id,
    from: draft.from,
    to: draft.to,
    count,
    open: connections?.open ?? 0,
    denied: denials(r => r.denied),
    security: securityOf(draft),
    sourceIdentities: [...draft.sourceIdentities].sort().slice(0, MAX_IDENTITIES),
    destinationIdentities: [...draft.destinationIdentities].sort().slice(0, MAX_IDENTITIES),
    waypoints: [...draft.waypoints].sort(),
  };
}

const MAX_IDENTITIES = 5;

function securityOf({ plain, secure }: Draft): Security {
  if (secure > 0) return plain > 0 ? 'mixed' : 'mutual_tls';
  return plain > 0 ? 'plaintext' : 'unknown';
}
