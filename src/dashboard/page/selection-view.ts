import type { Figures, GraphEdge, GraphFrame, GraphNode } from '#shared/dashboard/frames.ts';
import { type Route, routeHash } from '../data/route.ts';
import { bytesPerSecond, count, milliseconds, percent, plural, rate } from '../format/figures.ts';
import { meshText, nodeName, podsText } from '../graph/appearance.ts';
import type { Actions, PageState } from './context.ts';
import { deniedView, endView, securityView } from './edges-table.ts';
import { type Child, childrenOf, el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';
import { identityView, nodeLink } from './parts.ts';

/** What is known of the node or edge that was chosen, beside the graph. */
export function selectionView(
  frame: GraphFrame,
  route: Route,
  { graph }: PageState,
  actions: Actions,
): ElementSpec[] {
  const { selected } = graph;
  if (selected === undefined) return [];
  const byId = new Map(frame.nodes.map(n => [n.id, n]));
  const edge = frame.edges.find(e => e.id === selected.id);
  const node = byId.get(selected.id);
  const body =
    edge !== undefined
      ? edgeBody(edge, byId, route)
      : node !== undefined
        ? nodeBody(node, frame, byId, route, actions)
        : [el('p', { class: 'quiet' }, 'It is not there any more.')];
  const close = (): void => actions.graph({ selected: undefined });
  return [
    el(
      'aside',
      { key: `selection ${selected.id}`, class: 'selection', 'aria-label': 'What was chosen' },
      el('button', { type: 'button', class: 'close', 'aria-label': 'Close', on: { click: close } }, '×'),
      ...body,
    ),
  ];
}

function edgeBody(edge: GraphEdge, byId: ReadonlyMap<string, GraphNode>, route: Route): ElementSpec[] {
  return [
    el(
      'h2',
      {},
      endView(byId.get(edge.from), route),
      el('span', { class: 'arrow' }, ' → '),
      endView(byId.get(edge.to), route),
    ),
    el('p', { class: 'chips' }, securityView(edge), ...deniedView(edge.denied)),
    factsView([
      ['Client', identitiesOf(edge.sourceIdentities)],
      ['Server', serverOf(edge)],
      ['Waypoint', edge.waypoints.length === 0 ? 'none' : edge.waypoints.join(', ')],
    ]),
    figuresView(edge.figures),
    ...(edge.denied === 0
      ? []
      : [
          el(
            'p',
            {},
            el(
              'a',
              { href: routeHash({ page: 'problems', namespace: route.namespace, filter: '' }) },
              'Which policy refused it, and by which rule',
            ),
          ),
        ]),
    ...(edge.figures.rps === null
      ? [
          el(
            'p',
            { class: 'quiet' },
            'Connections are counted, requests are not: none of them passes a waypoint.',
          ),
        ]
      : []),
  ];
}

/** What a waypoint refuses reaches no server. */
function serverOf({ destinationIdentities, waypoints }: GraphEdge): readonly Child[] {
  const isStopped = destinationIdentities.length === 0 && waypoints.length > 0;
  return isStopped ? ['none behind the waypoint was reached'] : identitiesOf(destinationIdentities);
}

function identitiesOf(identities: readonly string[]): readonly Child[] {
  return identities.length === 0 ? ['none proved'] : identities.map(identityView);
}

function nodeBody(
  node: GraphNode,
  { edges }: GraphFrame,
  byId: ReadonlyMap<string, GraphNode>,
  route: Route,
  actions: Actions,
): ElementSpec[] {
  const list = (title: string, all: readonly GraphEdge[], end: (e: GraphEdge) => string): ElementSpec[] =>
    all.length === 0
      ? []
      : [
          el('h3', { key: title }, title),
          el(
            'ul',
            { key: `${title} list`, class: 'edge-list' },
            ...all.map(e =>
              el(
                'li',
                { key: e.id },
                el(
                  'button',
                  {
                    type: 'button',
                    class: 'link',
                    on: { click: () => actions.graph({ selected: { kind: 'edge', id: e.id } }) },
                  },
                  icon(e.security === 'mutual_tls' ? 'locked' : 'unlocked', 12),
                  nodeName(byId.get(end(e)) ?? node),
                ),
                el('span', {}, edgeShort(e)),
              ),
            ),
          ),
        ];
  const by = node.kind === 'service' ? 'service' : 'workload';
  return [
    el('h2', {}, icon(node.kind), ' ', nodeName(node)),
    factsView([
      ['Kind', node.kind === 'outside' ? 'what the mesh does not know' : node.kind],
      ['Pods', podsText(node) === '' ? 'none known' : `${podsText(node)} healthy`],
      ['Mesh', meshText(node) === '' ? 'not known' : meshText(node)],
      ['Waypoint', node.waypoint === '' ? 'none' : node.waypoint],
    ]),
    ...list(
      'Called by',
      edges.filter(e => e.to === node.id),
      e => e.from,
    ),
    ...list(
      'Calls',
      edges.filter(e => e.from === node.id),
      e => e.to,
    ),
    ...(node.kind === 'outside'
      ? []
      : [el('p', { key: 'open', class: 'open' }, nodeLink(by, nodeName(node), route, 'Open its page'))]),
  ];
}

function edgeShort({ active, denied, figures }: GraphEdge): string {
  if (denied > 0 && !active) return plural(denied, 'refused', 'refused');
  return figures.rps === null ? plural(figures.openConnections, 'conn', 'conns') : rate(figures.rps);
}

type FactRow = readonly [string, Child | readonly Child[]];

export function factsView(facts: readonly FactRow[]): ElementSpec {
  return el(
    'dl',
    { class: 'facts' },
    ...facts.map(([name, value]) =>
      el('div', { key: name }, el('dt', {}, name), el('dd', {}, ...childrenOf(value))),
    ),
  );
}

function figuresView(f: Figures): ElementSpec {
  return factsView([
    ['Requests', rate(f.rps)],
    ['Success', percent(f.success)],
    ['Latency', `p50 ${milliseconds(f.p50Ms)}, p95 ${milliseconds(f.p95Ms)}, p99 ${milliseconds(f.p99Ms)}`],
    ['Sent', bytesPerSecond(f.requestBytesPerSecond)],
    ['Received', bytesPerSecond(f.responseBytesPerSecond)],
    ['Connections', `${count(f.openConnections)} open, ${rate(f.connectionsPerSecond)} new`],
    ['Refused', rate(f.deniedPerSecond)],
    ['Failed', rate(f.failedPerSecond)],
  ]);
}
