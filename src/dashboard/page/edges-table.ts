import type { Figures, GraphEdge, GraphNode, Head } from '#shared/dashboard/frames.ts';
import type { Route } from '../data/route.ts';
import { bytesPerSecond, count, milliseconds, percent, plural, rate } from '../format/figures.ts';
import { nodeName, SECURITY_TEXT } from '../graph/appearance.ts';
import type { Actions, PageState } from './context.ts';
import { type Column, dataTable } from './data-table.ts';
import { type Child, el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';
import { chip, identityView, nodeLink, type Tone } from './parts.ts';

/** Golden signals, the same in every table. */
export function figureColumns<R>(of: (row: R) => Figures): readonly Column<R>[] {
  const figure = (
    title: string,
    text: (f: Figures) => Child,
    sort: (f: Figures) => number | null,
    hint: string,
  ): Column<R> => ({ title, hint, isFigure: true, cell: row => text(of(row)), sort: row => sort(of(row)) });
  return [
    figure(
      'Success',
      f => successView(f),
      f => f.success,
      'Of requests that passed a waypoint: not answered by a 5xx',
    ),
    figure(
      'RPS',
      f => rate(f.rps),
      f => f.rps,
      'Requests per second that passed a waypoint',
    ),
    figure(
      'P50',
      f => milliseconds(f.p50Ms),
      f => f.p50Ms,
      'Half of the requests were faster',
    ),
    figure(
      'P95',
      f => milliseconds(f.p95Ms),
      f => f.p95Ms,
      '95 of 100 requests were faster',
    ),
    figure(
      'P99',
      f => milliseconds(f.p99Ms),
      f => f.p99Ms,
      '99 of 100 requests were faster',
    ),
    figure('Bytes', f => bytesPerSecond(bytesOf(f)), bytesOf, 'Both ways'),
    figure(
      'Conns',
      f => count(f.openConnections),
      f => f.openConnections,
      'TCP connections that are open',
    ),
  ];
}

function bytesOf(figures: Figures): number {
  return figures.requestBytesPerSecond + figures.responseBytesPerSecond;
}

function successView({ success }: Figures): Child {
  if (success === null) return percent(success);
  const tone: Tone = success < 0.95 ? 'bad' : success < 0.99 ? 'warning' : 'good';
  return chip(tone, percent(success));
}

export function securityView({ security }: GraphEdge): ElementSpec {
  switch (security) {
    case 'mutual_tls':
      return chip('good', icon('locked', 12), SECURITY_TEXT.mutual_tls);
    case 'mixed':
      return chip('warning', icon('unlocked', 12), SECURITY_TEXT.mixed);
    case 'plaintext':
      return chip('bad', icon('unlocked', 12), SECURITY_TEXT.plaintext);
    case 'unknown':
      return chip('idle', SECURITY_TEXT.unknown);
  }
}

export function deniedView(denied: number): readonly Child[] {
  return denied === 0 ? [] : [chip('bad', icon('refused', 12), plural(denied, 'refused', 'refused'))];
}

/** @param name of an `inbound` one the end, of an `outbound` one the beginning is the same in all rows */
export function edgesTable(
  name: 'edges' | 'inbound' | 'outbound',
  edges: readonly GraphEdge[],
  { head, nodes }: { readonly head: Head; readonly nodes: readonly GraphNode[] },
  route: Route,
  state: PageState,
  actions: Actions,
): ElementSpec {
  const byId = new Map(nodes.map(n => [n.id, n]));
  const nameOf = (id: string): string => {
    const node = byId.get(id);
    return node === undefined ? id : nodeName(node);
  };
  const from: Column<GraphEdge> = {
    title: 'From',
    cell: e => endView(byId.get(e.from), route),
    sort: e => nameOf(e.from),
  };
  const to: Column<GraphEdge> = {
    title: 'To',
    cell: e => endView(byId.get(e.to), route),
    sort: e => nameOf(e.to),
  };
  const columns: readonly Column<GraphEdge>[] = [
    ...(name === 'inbound' ? [from] : name === 'outbound' ? [to] : [from, to]),
    { title: 'Secured', cell: e => [securityView(e), ...deniedView(e.denied)], sort: e => e.security },
    {
      title: 'Identities',
      cell: e => [
        ...e.sourceIdentities.map(identityView),
        ...(e.destinationIdentities.length === 0
          ? []
          : [' → ', ...e.destinationIdentities.map(identityView)]),
      ],
    },
    ...(edges.some(e => e.waypoints.length > 0)
      ? [{ title: 'Waypoint', cell: waypointsOf, sort: waypointsOf }]
      : []),
    ...figureColumns<GraphEdge>(e => e.figures),
  ];
  return dataTable(
    {
      name,
      caption: `Who talks to whom, over the last ${Math.round(head.windowSeconds)} s`,
      columns,
      rows: edges,
      key: e => e.id,
      sorting: { column: name === 'outbound' ? 'To' : 'From', isDescending: false },
    },
    state,
    actions,
  );
}

function waypointsOf({ waypoints }: GraphEdge): string {
  return waypoints.join(', ') || 'none';
}

/** What has a page leads there. */
export function endView(node: GraphNode | undefined, route: Route): Child {
  if (node === undefined || node.kind === 'outside') return el('span', {}, node?.name ?? '');
  return nodeLink(node.kind === 'service' ? 'service' : 'workload', nodeName(node), route);
}
