import type { DetailFrame, PodRow } from '#shared/dashboard/frames.ts';
import { type Route, routeHash } from '../data/route.ts';
import { meshText, podsText } from '../graph/appearance.ts';
import type { Actions, PageState } from './context.ts';
import { descriptionView } from './description-view.ts';
import { edgesTable } from './edges-table.ts';
import { el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';
import { chip, commandsView } from './parts.ts';
import { problemsTable, refusalsTable, unknownView } from './problems-view.ts';
import { signalsView } from './signals-view.ts';
import { tapView } from './tap-view.ts';

type DetailRoute = Extract<Route, { readonly page: 'detail' }>;

/** All of one service or workload. */
export function detailView(
  frame: DetailFrame,
  route: DetailRoute,
  state: PageState,
  actions: Actions,
): ElementSpec[] {
  const { inbound, node, others, outbound, pods, problems, refusals } = frame;
  if (node === null) return [titleView(frame, route), unknownView(route.name), commandsView(state, actions)];
  const ends = { head: frame.head, nodes: [...others, node] };
  const section = (key: string, title: string, body: ElementSpec): ElementSpec =>
    el('section', { key, class: 'block' }, el('h2', {}, title), body);
  const quiet = (text: string): ElementSpec => el('p', { class: 'quiet' }, text);
  const hasWaypoint =
    route.by === 'workload' || inbound.some(e => e.waypoints.length > 0) || node.waypoint !== '';
  return [
    titleView(frame, route),
    signalsView(frame),
    section(
      'inbound',
      'Who calls it',
      inbound.length === 0
        ? quiet('Nobody was seen in the last minutes.')
        : edgesTable('inbound', inbound, ends, route, state, actions),
    ),
    section(
      'outbound',
      'Whom it calls',
      outbound.length === 0
        ? quiet('Nobody was seen in the last minutes.')
        : edgesTable('outbound', outbound, ends, route, state, actions),
    ),
    ...(refusals.length === 0
      ? []
      : [
          section(
            'refused',
            'Refused and failed',
            refusalsTable('detail-refusals', refusals, frame.head.atMs, state, actions),
          ),
        ]),
    ...(problems.length === 0
      ? []
      : [section('problems', 'What is wrong', problemsTable('detail-problems', problems, state, actions))]),
    ...(route.by === 'workload' ? [podsView(pods, state, actions)] : []),
    descriptionView(state.description, actions),
    tapView(
      state.tap,
      { hasWaypoint, services: route.by === 'service' ? undefined : frame.services },
      actions,
    ),
    commandsView(state, actions),
  ];
}

function titleView({ node }: DetailFrame, route: DetailRoute): ElementSpec {
  const back = route.by === 'service' ? 'services' : 'workloads';
  const mesh = node === null ? '' : meshText(node);
  return el(
    'div',
    { key: 'title', class: 'title' },
    el(
      'p',
      { class: 'crumbs' },
      el(
        'a',
        { href: routeHash({ page: back, namespace: route.namespace, filter: '' }) },
        route.by === 'service' ? 'Services' : 'Workloads',
      ),
      ' / ',
    ),
    el('h1', {}, icon(route.by === 'service' ? 'service' : 'workload', 20), ` ${route.name}`),
    el(
      'p',
      { class: 'chips' },
      ...(node === null || podsText(node) === ''
        ? []
        : [
            chip(
              node.healthyPods === node.pods ? 'good' : node.healthyPods === 0 ? 'bad' : 'warning',
              `${podsText(node)} healthy`,
            ),
          ]),
      ...(mesh === '' ? [] : [chip(mesh === 'in the mesh' ? 'good' : 'warning', mesh)]),
      ...(node === null || node.waypoint === ''
        ? []
        : [chip('plain', icon('waypoint', 12), `waypoint ${node.waypoint}`)]),
    ),
  );
}

/** One of them is described. */
function podsView(pods: readonly PodRow[], state: PageState, actions: Actions): ElementSpec {
  return el(
    'section',
    { key: 'pods', class: 'block' },
    el('h2', {}, 'Pods'),
    el(
      'ul',
      { class: 'pods' },
      ...pods.map(pod =>
        el(
          'li',
          { key: pod.name },
          el(
            'button',
            {
              type: 'button',
              class: 'link',
              'aria-pressed': state.pod === pod.name ? 'true' : 'false',
              on: { click: () => actions.choosePod(pod.name) },
            },
            pod.name,
          ),
          ` ${pod.addresses.join(', ')} on ${pod.node || 'no node'} `,
          chip(pod.healthy ? 'good' : 'bad', pod.healthy ? 'healthy' : 'not healthy'),
          chip(pod.protocol === 'HBONE' ? 'good' : 'warning', pod.protocol),
        ),
      ),
    ),
  );
}
