import type {
  CertificateRow,
  Figures,
  PoliciesFrame,
  ProblemsFrame,
  ProxiesFrame,
  ProxyRow,
  ServicesFrame,
  TypeState,
  WorkloadsFrame,
} from '#shared/dashboard/frames.ts';
import type { AskedProxy } from '../../check/cluster-snapshot.ts';
import type { DumpedCertificate } from '../../config-dump.ts';
import type { ProxyStanding } from '../../proxy-standing.ts';
import type { SyncedType } from '../../sync-status.ts';
import { buildGraph, inboundOf } from '../graph/build-graph.ts';
import { figuresOf, NO_FIGURES } from '../graph/figures.ts';
import { MESHED } from '../inventory/inventory.ts';
import type { MeshPicture } from '../mesh-watch.ts';
import { headOf, type MeshLabel } from './head.ts';
import { bounded, isInScope, isProblemInScope, isRefusalInScope, type Scope } from './scope.ts';

export function servicesFrame(picture: MeshPicture, label: MeshLabel, scope: Scope): ServicesFrame {
  const figures = inboundFigures(picture, 'service');
  const rows = [...picture.state.inventory.services]
    .filter(([key, s]) => !s.isWaypoint && isInScope(s, key, scope))
    .map(([key, { addresses, hostname, name, namespace, pods, waypoint }]) => ({
      namespace,
      name,
      hostname,
      addresses,
      waypoint,
      pods: pods.length,
      healthyPods: pods.filter(p => p.healthy).length,
      meshedPods: pods.filter(p => p.protocol === MESHED).length,
      figures: figures.get(`service/${key}`) ?? NO_FIGURES,
    }));
  return { view: 'services', head: headOf(picture, label), ...bounded(byName(rows)) };
}

export function workloadsFrame(picture: MeshPicture, label: MeshLabel, scope: Scope): WorkloadsFrame {
  const figures = inboundFigures(picture, 'workload');
  const rows = [...picture.state.inventory.workloads]
    .filter(([key, w]) => isInScope(w, key, scope))
    .map(([key, { isWaypointOf, ...w }]) => ({
      ...w,
      isWaypoint: isWaypointOf !== '',
      figures: figures.get(`workload/${key}`) ?? NO_FIGURES,
    }));
  return { view: 'workloads', head: headOf(picture, label), ...bounded(byName(rows)) };
}

export function inboundFigures(
  { state, traffic }: MeshPicture,
  by: 'service' | 'workload',
): ReadonlyMap<string, Figures> {
  const { edges } = buildGraph(traffic.flows, state.inventory, by);
  return new Map(
    [...inboundOf(edges)].map(([id, { count, open }]) => [id, figuresOf(count, open, traffic.seconds)]),
  );
}

export function proxiesFrame(picture: MeshPicture, label: MeshLabel, scope: Scope): ProxiesFrame {
  const { asked, standings } = picture.state;
  const standing = new Map(standings.map(s => [s.proxy, s]));
  const rows = asked
    .filter(({ ref }) => isInScope(ref, `${ref.name} ${ref.node}`, scope))
    .map(a => proxyRow(a, standing.get(a.ref)));
  return { view: 'proxies', head: headOf(picture, label), ...bounded(rows) };
}

function proxyRow({ dump, error, ref }: AskedProxy, standing: ProxyStanding | undefined): ProxyRow {
  return {
    name: ref.name,
    kind: ref.kind,
    namespace: ref.namespace,
    node: ref.node,
    version: dump?.version ?? '',
    engine: dump?.engine?.name ?? '',
    error: error ?? '',
    controller: standing?.status?.controller ?? '',
    types: standing?.status?.types.map(typeState) ?? [],
    certificates: dump?.certificates.map(certificateRow) ?? [],
  };
}

function typeState({ answeredAt, lastNack, pending, sentAt, state, type }: SyncedType): TypeState {
  return { type, state, pending, sinceMs: timeOf(state === 'stale' ? sentAt : answeredAt), reason: lastNack };
}

function certificateRow({ chain, error, identity, state }: DumpedCertificate): CertificateRow {
  const leaf = chain.find(c => c.type === 'Leaf');
  return {
    identity,
    state,
    error,
    valid: leaf?.valid ?? false,
    notBeforeMs: timeOf(leaf?.notBefore ?? ''),
    notAfterMs: timeOf(leaf?.notAfter ?? ''),
  };
}

function timeOf(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}

export function policiesFrame(picture: MeshPicture, label: MeshLabel, scope: Scope): PoliciesFrame {
  const { refusals, state } = picture;
  const inScope = state.policies.filter(p => isInScope(p, `${p.namespace}/${p.name}`, scope));
  const rows = inScope.map(policy => ({
    ...policy,
    refused: refusals
      .filter(r => r.policy === `${policy.namespace}/${policy.name}`)
      .reduce((sum, r) => sum + r.count, 0),
  }));
  return { view: 'policies', head: headOf(picture, label), ...bounded(rows) };
}

export function problemsFrame(picture: MeshPicture, label: MeshLabel, scope: Scope): ProblemsFrame {
  const problems = bounded(picture.problems.filter(p => isProblemInScope(p, scope)));
  const refusals = bounded(picture.refusals.filter(r => isRefusalInScope(r, scope)));
  return {
    view: 'problems',
    head: headOf(picture, label),
    problems: problems.rows,
    refusals: refusals.rows,
    leftOut: problems.leftOut + refusals.leftOut,
  };
}

function byName<T extends { readonly namespace: string; readonly name: string }>(rows: readonly T[]): T[] {
  const key = (row: T): string => `${row.namespace}/${row.name}`;
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
