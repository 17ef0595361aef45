import type { DetailFrame, GraphKind, PodRow, ProblemRow, RefusalRow } from '#shared/dashboard/frames.ts';
import { buildGraph, type CountedEdge } from '../graph/build-graph.ts';
import { NO_FIGURES } from '../graph/figures.ts';
import type { MeshPicture } from '../mesh-watch.ts';
import { graphEdge, weightOf } from './graph-frame.ts';
import { headOf, type MeshLabel } from './head.ts';
import { inboundFigures } from './table-frames.ts';

export interface DetailWish {
  readonly by: GraphKind;
  /** `<namespace>/<name>`. */
  readonly name: string;
}

export function detailFrame(picture: MeshPicture, label: MeshLabel, { by, name }: DetailWish): DetailFrame {
  const { state, traffic } = picture;
  const { edges, nodes } = buildGraph(traffic.flows, state.inventory, by);
  const id = `${by}/${name}`;
  const pods = podsOf(picture, by, name);
  const [inbound, outbound] = [busiest(edges, e => e.to === id), busiest(edges, e => e.from === id)];
  const ends = new Set([...inbound.map(e => e.from), ...outbound.map(e => e.to)]);
  return {
    view: 'detail',
    head: headOf(picture, label),
    by,
    node: nodes.get(id) ?? null,
    pods: pods.slice(0, MAX_PODS),
    services: by === 'workload' ? (state.inventory.workloads.get(name)?.services ?? []) : [],
    figures: inboundFigures(picture, by).get(id) ?? NO_FIGURES,
    history: picture.history.of(id),
    inbound: inbound.map(edge => graphEdge(edge, traffic.seconds)),
    outbound: outbound.map(edge => graphEdge(edge, traffic.seconds)),
    others: [...ends].flatMap(end => nodes.get(end) ?? []),
    refusals: picture.refusals.filter(isAbout(name, pods)),
    problems: picture.problems.filter(p => isOfObject(p, name)),
  };
}

const MAX_EDGES = 200;
const MAX_PODS = 200;

function busiest(
  edges: readonly CountedEdge[],
  isWanted: (edge: CountedEdge) => boolean,
): readonly CountedEdge[] {
  const sorted = edges.filter(isWanted).toSorted((a, b) => weightOf(b) - weightOf(a));
  return sorted.slice(0, MAX_EDGES);
}

function podsOf({ state }: MeshPicture, by: GraphKind, name: string): readonly PodRow[] {
  const { services, workloads } = state.inventory;
  return (by === 'service' ? services.get(name)?.pods : workloads.get(name)?.pods) ?? [];
}

function isAbout(name: string, pods: readonly PodRow[]): (row: RefusalRow) => boolean {
  const [namespace = '', own = ''] = name.split('/');
  const names = new Set(pods.map(p => `${namespace}/${p.name}`));
  const isService = (host: string): boolean => host === own || host.startsWith(`${own}.${namespace}.`);
  return row => names.has(row.source) || names.has(row.destination) || isService(row.service);
}

/** `HTTPRoute shop/split` names the object last. */
function isOfObject({ object }: ProblemRow, name: string): boolean {
  return object.endsWith(` ${name}`);
}
