import { GRAPH_KINDS, type GraphFrame } from '#shared/dashboard/frames.ts';
import type { Route } from '../data/route.ts';
import { plural } from '../format/figures.ts';
import { type EdgeLabel, LABELS } from '../graph/appearance.ts';
import { type Direction, type Layout, layOut } from '../graph/layout.ts';
import { type Narrowed, narrowGraph } from '../graph/narrow.ts';
import type { Actions, PageState } from './context.ts';
import { edgesTable } from './edges-table.ts';
import { el, type ElementSpec } from './element.ts';
import { canvasView, NODE_HEIGHT, NODE_WIDTH } from './graph-canvas.ts';
import { commandsView, emptyView } from './parts.ts';
import { selectionView } from './selection-view.ts';

type GraphRoute = Extract<Route, { readonly page: 'graph' }>;

/** Below that, callers stand above whom they call. */
const NARROW = 760;
const SIDE_WIDTH = 360;
const ZOOM_STEP = 1.25;
const SMALLEST = 0.4;

export function graphView(
  frame: GraphFrame,
  route: GraphRoute,
  state: PageState,
  actions: Actions,
): ElementSpec[] {
  const { label, selected, withIdle } = state.graph;
  const graph = narrowGraph(frame.nodes, frame.edges, { filter: route.filter, withIdle });
  const direction: Direction = state.width < NARROW ? 'down' : 'right';
  const isBeside = direction === 'right' && selected !== undefined;
  const width = state.width - (state.width < NARROW ? 26 : 50) - (isBeside ? SIDE_WIDTH : 0);
  const layout = layoutOf(graph, direction, width);
  const height = Math.max(320, state.height - 260);
  const fit = Math.max(SMALLEST, Math.min(1, width / layout.width, height / layout.height));
  const zoom = state.graph.zoom ?? fit;
  return [
    toolbarView(frame, route, zoom, state, actions),
    el(
      'div',
      { key: 'stage', class: isBeside ? 'stage beside' : 'stage' },
      el(
        'div',
        {
          key: 'canvas',
          class: 'canvas',
          role: 'region',
          'aria-label': 'Graph of the mesh',
          tabindex: 0,
          on: { keydown: event => unselect(event, actions) },
        },
        graph.nodes.length === 0
          ? nothingView(frame, route, state)
          : canvasView({
              graph,
              layout,
              direction,
              label,
              zoom,
              selected,
              select: selection =>
                actions.graph({ selected: selected?.id === selection.id ? undefined : selection }),
            }),
      ),
      ...selectionView(frame, route, state, actions),
    ),
    legendView(),
    ...(graph.edges.length === 0
      ? []
      : [
          el(
            'details',
            { key: 'edges', class: 'edges' },
            el('summary', {}, `All of it as a table (${plural(graph.edges.length, 'edge')})`),
            edgesTable('edges', graph.edges, frame, route, state, actions),
          ),
        ]),
    commandsView(state, actions),
  ];
}

function unselect(event: Event, actions: Actions): void {
  if (event instanceof KeyboardEvent && event.key === 'Escape') actions.graph({ selected: undefined });
}

/** The last one: a graph that is the same is not laid out again. */
let [lastKey, lastLayout]: [string, Layout | undefined] = ['', undefined];

function layoutOf({ edges, nodes }: Narrowed, direction: Direction, width: number): Layout {
  const ids = nodes.map(n => n.id);
  const key = JSON.stringify([direction, width, ids, edges.map(e => e.id)]);
  if (key === lastKey && lastLayout !== undefined) return lastLayout;
  const isDown = direction === 'down';
  const size = {
    nodeWidth: NODE_WIDTH,
    nodeHeight: NODE_HEIGHT,
    gap: isDown ? 18 : 26,
    rankGap: isDown ? 64 : 162,
    width,
  };
  [lastKey, lastLayout] = [key, layOut(ids, edges, size, direction)];
  return lastLayout;
}

const KIND_TITLES = { service: 'Services', workload: 'Workloads' } as const;
const LABEL_TITLES: Readonly<Record<EdgeLabel, string>> = {
  rate: 'Requests and success',
  latency: 'Latency (p99)',
  bytes: 'Bytes',
  security: 'Encryption',
  none: 'Nothing',
};

function toolbarView(
  frame: GraphFrame,
  route: GraphRoute,
  zoom: number,
  state: PageState,
  actions: Actions,
): ElementSpec {
  const change = (event: Event): void => {
    if (!(event.currentTarget instanceof HTMLSelectElement)) return;
    const chosen = event.currentTarget.value;
    const label = LABELS.find(name => name === chosen);
    if (label !== undefined) actions.graph({ label });
  };
  const zoomTo = (to: number | undefined) => (): void =>
    actions.graph({ zoom: to === undefined ? undefined : Math.min(3, Math.max(SMALLEST, to)) });
  return el(
    'div',
    { key: 'toolbar', class: 'toolbar', role: 'toolbar', 'aria-label': 'Graph' },
    el(
      'div',
      { class: 'segments', role: 'group', 'aria-label': 'Nodes are' },
      ...GRAPH_KINDS.map(by =>
        el(
          'button',
          {
            key: by,
            type: 'button',
            'aria-pressed': route.by === by ? 'true' : 'false',
            on: { click: () => actions.go({ ...route, by }) },
          },
          KIND_TITLES[by],
        ),
      ),
    ),
    el(
      'label',
      {},
      'Show ',
      el(
        'select',
        { 'aria-label': 'Written on edges', on: { change } },
        ...LABELS.map(name =>
          el('option', { key: name, value: name, selected: state.graph.label === name }, LABEL_TITLES[name]),
        ),
      ),
    ),
    el(
      'label',
      {},
      el('input', {
        type: 'checkbox',
        checked: state.graph.withIdle,
        on: { change: () => actions.graph({ withIdle: !state.graph.withIdle }) },
      }),
      ' Without traffic too',
    ),
    el('span', { class: 'count' }, countText(frame)),
    el(
      'div',
      { class: 'segments zoom', role: 'group', 'aria-label': 'Size' },
      el(
        'button',
        { key: 'out', type: 'button', 'aria-label': 'Smaller', on: { click: zoomTo(zoom / ZOOM_STEP) } },
        '−',
      ),
      el('button', { key: 'fit', type: 'button', on: { click: zoomTo(undefined) } }, 'Fit'),
      el(
        'button',
        { key: 'in', type: 'button', 'aria-label': 'Larger', on: { click: zoomTo(zoom * ZOOM_STEP) } },
        '+',
      ),
    ),
  );
}

function countText({ edges, leftOut, nodes }: GraphFrame): string {
  const shown = `${plural(nodes.length, 'node')}, ${plural(edges.length, 'edge')}`;
  return leftOut === 0 ? shown : `${shown}; ${leftOut} more are left out: choose a namespace, or filter`;
}

function nothingView(frame: GraphFrame, route: GraphRoute, { graph }: PageState): ElementSpec {
  if (frame.head.windowSeconds === 0 && frame.nodes.length === 0)
    return emptyView('Asking the proxies…', 'The first picture comes in a few seconds.');
  if (route.filter !== '')
    return emptyView(`Nothing is called “${route.filter}”`, 'Clear the filter, or choose another namespace.');
  if (frame.nodes.length > 0 && !graph.withIdle)
    return emptyView(
      'No traffic was seen in the last minutes',
      'Send some, or show what is without traffic too. Requests are counted by waypoints, connections by ztunnels.',
    );
  return emptyView(
    'The mesh is empty',
    'In a cluster, bring a namespace in: ',
    el('code', {}, 'ambientctl namespace add NAME'),
    '. On this machine: ',
    el('code', {}, 'npm run demo'),
  );
}

function legendView(): ElementSpec {
  const item = (kind: string, text: string): ElementSpec =>
    el(
      'li',
      { key: kind },
      el(
        'svg',
        { width: 34, height: 10, viewBox: '0 0 34 10', 'aria-hidden': 'true', class: 'graph' },
        el('g', { class: `edge ${kind}` }, el('path', { class: 'line', d: 'M1 5H33', 'stroke-width': 3 })),
      ),
      text,
    );
  return el(
    'ul',
    { key: 'legend', class: 'legend', 'aria-label': 'Meaning of lines' },
    item('good mutual_tls', 'all is well'),
    item('warning mutual_tls', 'some fail (below 99 %)'),
    item('bad mutual_tls', 'many fail, or are refused'),
    item('good plaintext', 'plaintext'),
    item('idle mutual_tls', 'no traffic now'),
  );
}
