import type { Figures, GraphEdge, GraphNode, Security } from '#shared/dashboard/frames.ts';
import { bytesPerSecond, count, milliseconds, percent, plural, rate } from '../format/figures.ts';

export const LABELS = ['rate', 'latency', 'bytes', 'security', 'none'] as const;
export type EdgeLabel = (typeof LABELS)[number];

/** How well it goes, in one word: what is red for some is also said. */
export type Health = 'good' | 'warning' | 'bad' | 'idle';

const GOOD = 0.99;
const BAD = 0.95;

/** Pure. */
export function healthOf(figures: Figures, isActive: boolean): Health {
  if (figures.deniedPerSecond > 0) return 'bad';
  if (!isActive) return 'idle';
  if (figures.success !== null && figures.success < BAD) return 'bad';
  if (figures.failedPerSecond > 0 || (figures.success !== null && figures.success < GOOD)) return 'warning';
  return 'good';
}

/** From 1.5 to 6: ten times the traffic is a little more. */
export function edgeWidth({ connectionsPerSecond, rps }: Figures): number {
  const busy = Math.max(rps ?? 0, connectionsPerSecond);
  return Math.round((1.5 + Math.min(4.5, Math.log10(1 + busy) * 1.5)) * 10) / 10;
}

/** What is written on an edge; empty: nothing. */
export function edgeLabel(edge: GraphEdge, label: EdgeLabel): string {
  const { figures } = edge;
  if (label === 'none') return '';
  if (label === 'security') return SECURITY_TEXT[edge.security];
  if (figures.deniedPerSecond > 0 && label === 'rate') return `${rate(figures.deniedPerSecond)} refused`;
  if (!edge.active) return edge.denied > 0 ? plural(edge.denied, 'refused', 'refused') : '';
  switch (label) {
    case 'latency':
      return figures.p99Ms === null ? connections(figures) : `p99 ${milliseconds(figures.p99Ms)}`;
    case 'bytes':
      return bytesPerSecond(figures.requestBytesPerSecond + figures.responseBytesPerSecond);
    case 'rate':
      if (figures.rps === null) return connections(figures);
      return figures.success === 1 ? rate(figures.rps) : `${rate(figures.rps)} · ${percent(figures.success)}`;
  }
}

function connections(figures: Figures): string {
  return `${count(figures.openConnections)} conn · ${bytesPerSecond(figures.requestBytesPerSecond + figures.responseBytesPerSecond)}`;
}

export const SECURITY_TEXT: Readonly<Record<Security, string>> = {
  mutual_tls: 'mutual TLS',
  mixed: 'partly plaintext',
  plaintext: 'plaintext',
  unknown: 'not connected yet',
};

/** A whole sentence, for who cannot see the picture. */
export function edgeSentence(edge: GraphEdge, from: string, to: string): string {
  const { denied, figures, waypoints } = edge;
  const parts = [
    `${from} to ${to}`,
    SECURITY_TEXT[edge.security],
    ...(waypoints.length === 0 ? [] : [`through waypoint ${waypoints.join(', ')}`]),
    ...(figures.rps === null
      ? [`${plural(figures.openConnections, 'open connection')}`]
      : [`${rate(figures.rps)} requests, ${percent(figures.success)} successful`]),
    ...(denied > 0 ? [`${denied} refused by policy`] : []),
  ];
  return parts.join('; ');
}

export function nodeName({ kind, name, namespace }: GraphNode): string {
  return kind === 'outside' ? name : `${namespace}/${name}`;
}

/** `2/2 pods`; empty where there are none, as of a name outside. */
export function podsText({ healthyPods, pods }: GraphNode): string {
  return pods === 0 ? '' : `${healthyPods}/${plural(pods, 'pod')}`;
}

export type MeshText = 'in the mesh' | 'partly in the mesh' | 'not in the mesh' | '';

export function meshText({ meshedPods, pods }: Pick<GraphNode, 'meshedPods' | 'pods'>): MeshText {
  if (pods === 0) return '';
  if (meshedPods === pods) return 'in the mesh';
  return meshedPods === 0 ? 'not in the mesh' : 'partly in the mesh';
}
