import type { GraphEdge, GraphNode } from '#shared/dashboard/frames.ts';
import {
  edgeLabel,
  edgeSentence,
  edgeWidth,
  type EdgeLabel,
  healthOf,
  meshText,
  nodeName,
  podsText,
} from '../graph/appearance.ts';
import { edgePath, labelPoint } from '../graph/edge-path.ts';
import type { Direction, Layout, Point } from '../graph/layout.ts';
import type { Narrowed } from '../graph/narrow.ts';
import type { Selection } from './context.ts';
import { type Child, el, type ElementSpec } from './element.ts';
import { type IconName, iconAt } from './icons.ts';

export const NODE_WIDTH = 184;
export const NODE_HEIGHT = 56;
const NAME_CHARS = 17;
const BELOW_CHARS = 22;
const LABEL_CHAR_WIDTH = 6.2;
const MARK_WIDTH = 15;
/** Of more, what moves is only noise. */
const MAX_MOVING = 40;

export interface Canvas {
  readonly graph: Narrowed;
  readonly layout: Layout;
  readonly direction: Direction;
  readonly label: EdgeLabel;
  readonly zoom: number;
  readonly selected: Selection | undefined;
  readonly select: (selection: Selection) => void;
}

/** The picture. Nodes and edges can be reached by keyboard, and say in words what they show. */
export function canvasView(canvas: Canvas): ElementSpec {
  const { graph, layout, zoom } = canvas;
  const names = new Map(graph.nodes.map(n => [n.id, nodeName(n)]));
  const near = neighbourhood(canvas);
  return el(
    'svg',
    {
      key: 'picture',
      class: 'graph',
      width: Math.round(layout.width * zoom),
      height: Math.round(layout.height * zoom),
      viewBox: `0 0 ${layout.width} ${layout.height}`,
      role: 'group',
      'aria-label': 'Who talks to whom',
    },
    markersView(),
    ...graph.edges.flatMap(edge => {
      const points = layout.edges.get(edge.id);
      return points === undefined ? [] : [edgeView(edge, points, canvas, names, near)];
    }),
    // Above all lines, so that none crosses what is written.
    ...graph.edges.flatMap(edge => labelView(edge, layout.edges.get(edge.id) ?? [], canvas, near)),
    ...graph.nodes.flatMap(node => {
      const at = layout.nodes.get(node.id);
      return at === undefined ? [] : [nodeView(node, at, canvas, near)];
    }),
  );
}

/** What is not near what is selected steps back. */
function neighbourhood({ graph, selected }: Canvas): ReadonlySet<string> | undefined {
  if (selected === undefined) return undefined;
  const edges = graph.edges.filter(e =>
    selected.kind === 'edge' ? e.id === selected.id : e.from === selected.id || e.to === selected.id,
  );
  return new Set([selected.id, ...edges.flatMap(e => [e.id, e.from, e.to])]);
}

const TONES = ['good', 'warning', 'bad', 'idle'] as const;

function markersView(): ElementSpec {
  const arrow = (tone: string): ElementSpec =>
    el(
      'marker',
      {
        key: tone,
        id: `arrow-${tone}`,
        class: `arrow ${tone}`,
        viewBox: '0 0 8 8',
        refX: 7,
        refY: 4,
        markerWidth: 8,
        markerHeight: 8,
        markerUnits: 'userSpaceOnUse',
        orient: 'auto',
      },
      el('path', { d: 'M0 0.5 8 4 0 7.5Z' }),
    );
  return el('defs', { key: 'markers' }, ...TONES.map(arrow));
}

function edgeView(
  edge: GraphEdge,
  points: readonly Point[],
  canvas: Canvas,
  names: ReadonlyMap<string, string>,
  near: ReadonlySet<string> | undefined,
): ElementSpec {
  const tone = edge.denied > 0 && !edge.active ? 'bad' : healthOf(edge.figures, edge.active);
  const d = edgePath(points, canvas.direction);
  const isSelected = canvas.selected?.id === edge.id;
  const classes = [
    'edge',
    tone,
    edge.security,
    ...(isSelected ? ['selected'] : []),
    ...(near === undefined || near.has(edge.id) ? [] : ['far']),
  ];
  const said = edgeSentence(edge, names.get(edge.from) ?? '', names.get(edge.to) ?? '');
  return el(
    'g',
    {
      key: `edge ${edge.id}`,
      class: classes.join(' '),
      role: 'button',
      tabindex: 0,
      'aria-label': said,
      'aria-pressed': isSelected ? 'true' : 'false',
      ...choosing(canvas, { kind: 'edge', id: edge.id }),
    },
    el('title', {}, said),
    el('path', { key: 'reach', class: 'reach', d }),
    el('path', {
      key: 'line',
      class: 'line',
      d,
      'stroke-width': edgeWidth(edge.figures),
      'marker-end': `url(#arrow-${tone})`,
    }),
    ...(edge.active && canvas.graph.edges.length <= MAX_MOVING
      ? [el('path', { key: 'flow', class: 'flow', d, 'stroke-width': edgeWidth(edge.figures) + 2.5 })]
      : []),
  );
}

const MARK: Readonly<Record<GraphEdge['security'], IconName | undefined>> = {
  mutual_tls: 'locked',
  mixed: 'unlocked',
  plaintext: 'unlocked',
  unknown: undefined,
};

/** What it says, the edge itself says in words. */
function labelView(
  edge: GraphEdge,
  points: readonly Point[],
  canvas: Canvas,
  near: ReadonlySet<string> | undefined,
): ElementSpec[] {
  if (canvas.label === 'none' || points.length === 0) return [];
  const text = edgeLabel(edge, canvas.label);
  const isRefused = edge.figures.deniedPerSecond > 0 || (edge.denied > 0 && !edge.active);
  const mark = isRefused ? 'refused' : MARK[edge.security];
  const marks: readonly IconName[] = [
    ...(mark === undefined ? [] : [mark]),
    ...(edge.waypoints.length > 0 ? ['waypoint' as const] : []),
  ];
  if (text === '' && marks.length === 0) return [];
  const { x, y } = labelPoint(points);
  const marksWidth = marks.length * MARK_WIDTH;
  const width = marksWidth + text.length * LABEL_CHAR_WIDTH + 10;
  const left = x - width / 2;
  const parts: Child[] = [
    el('rect', { x: left, y: y - 9, width, height: 18, rx: 9 }),
    ...marks.map((name, i) => iconAt(name, left + 5 + i * MARK_WIDTH, y - 6, 12)),
    el('text', { x: left + 5 + marksWidth, y: y + 4 }, text),
  ];
  const classes = [
    'label',
    ...(canvas.selected?.id === edge.id ? ['selected'] : []),
    ...(near === undefined || near.has(edge.id) ? [] : ['far']),
  ];
  return [el('g', { key: `label ${edge.id}`, class: classes.join(' '), 'aria-hidden': 'true' }, ...parts)];
}

function nodeView(
  node: GraphNode,
  at: Point,
  canvas: Canvas,
  near: ReadonlySet<string> | undefined,
): ElementSpec {
  const name = nodeName(node);
  const isSelected = canvas.selected?.id === node.id;
  const below = [node.namespace, podsText(node)].filter(part => part !== '').join(' · ');
  const mesh = meshText(node);
  const isUnwell = node.healthyPods < node.pods;
  const classes = [
    'node',
    node.kind,
    ...(isUnwell ? ['unwell'] : []),
    ...(isSelected ? ['selected'] : []),
    ...(near === undefined || near.has(node.id) ? [] : ['far']),
  ];
  const said = [name, node.kind, podsText(node), mesh].filter(part => part !== '').join(', ');
  return el(
    'g',
    {
      key: `node ${node.id}`,
      class: classes.join(' '),
      transform: `translate(${at.x} ${at.y})`,
      role: 'button',
      tabindex: 0,
      'aria-label': said,
      'aria-pressed': isSelected ? 'true' : 'false',
      ...choosing(canvas, { kind: 'node', id: node.id }),
    },
    el('title', {}, said),
    el('rect', { class: 'box', width: NODE_WIDTH, height: NODE_HEIGHT, rx: 10 }),
    iconAt(node.kind, 13, 18, 20),
    el('text', { class: 'name', x: 44, y: 25 }, cut(node.name, NAME_CHARS)),
    el('text', { class: 'below', x: 44, y: 42 }, cut(below, BELOW_CHARS)),
    ...(mesh === '' ? [] : [iconAt(mesh === 'in the mesh' ? 'locked' : 'unlocked', NODE_WIDTH - 22, 32, 12)]),
  );
}

function choosing(
  { select }: Canvas,
  selection: Selection,
): { readonly on: Readonly<Record<string, (event: Event) => void>> } {
  return {
    on: {
      click: () => select(selection),
      keydown: event => {
        if (!(event instanceof KeyboardEvent) || (event.key !== 'Enter' && event.key !== ' ')) return;
        event.preventDefault();
        select(selection);
      },
    },
  };
}

/** Whole characters, however they are made up. */
function cut(text: string, chars: number): string {
  const letters = Array.from(text);
  return letters.length <= chars ? text : `${letters.slice(0, chars - 1).join('')}…`;
}
