import type {
  CertificateRow,
  Frame,
  PolicyRow,
  ProxyRow,
  ServiceRow,
  TypeState,
  WorkloadRow,
} from '#shared/dashboard/frames.ts';
import type { Route } from '../data/route.ts';
import { duration, plural, shortIdentity, UNKNOWN } from '../format/figures.ts';
import { meshText } from '../graph/appearance.ts';
import type { Actions, PageState } from './context.ts';
import { type Column, dataTable } from './data-table.ts';
import { figureColumns } from './edges-table.ts';
import { type Child, el, type ElementSpec } from './element.ts';
import { chip, commandsView, emptyView, identityView, leftOutView, nodeLink, type Tone } from './parts.ts';

type TableFrame = Extract<Frame, { readonly rows: readonly unknown[] }>;

export function tablesView(frame: TableFrame, state: PageState, actions: Actions): ElementSpec[] {
  return [tableOf(frame, state, actions), ...leftOutView(frame.leftOut), commandsView(state, actions)];
}

function tableOf(frame: TableFrame, state: PageState, actions: Actions): ElementSpec {
  const { route } = state;
  switch (frame.view) {
    case 'services':
      return show(
        frame,
        frame.rows,
        serviceColumns(route),
        r => `${r.namespace}/${r.hostname}`,
        state,
        actions,
      );
    case 'workloads':
      return show(frame, frame.rows, workloadColumns(route), r => `${r.namespace}/${r.name}`, state, actions);
    case 'proxies': {
      const columns = proxyColumns(frame.head.atMs);
      return show(frame, frame.rows, columns, r => `${r.namespace}/${r.name}`, state, actions);
    }
    case 'policies':
      return show(frame, frame.rows, policyColumns(route), r => `${r.namespace}/${r.name}`, state, actions);
  }
}

const CAPTIONS = {
  services: 'Services, with what came to them',
  workloads: 'Workloads, with what came to them',
  proxies: 'Proxies and controllers',
  policies: 'Policies, and who holds them',
} as const;

function show<R>(
  frame: TableFrame,
  rows: readonly R[],
  columns: readonly Column<R>[],
  key: (row: R) => string,
  state: PageState,
  actions: Actions,
): ElementSpec {
  if (rows.length === 0) return nothingView(frame, state);
  const sorting = { column: 'Name', isDescending: false };
  return dataTable(
    { name: frame.view, caption: CAPTIONS[frame.view], columns, rows, key, sorting },
    state,
    actions,
  );
}

function nothingView({ head, view }: TableFrame, { route }: PageState): ElementSpec {
  if (route.filter !== '')
    return emptyView(`No ${view} of that name`, 'Clear the filter, or choose another namespace.');
  if (head.windowSeconds === 0)
    return emptyView('Asking the proxies…', 'The first answers come in a few seconds.');
  if (view === 'policies')
    return emptyView(
      'No policy is in force',
      'All traffic is allowed. Write an AuthorizationPolicy; on this machine try: ',
      el('code', {}, 'ambientctl playground apply examples/shop/manifests/intentions.yaml'),
    );
  return emptyView(
    `There are no ${view}`,
    route.namespace === '' ? 'Is a controller connected? See: ' : 'In this namespace. See: ',
    el('code', {}, 'ambientctl proxy-status'),
  );
}

function named<R extends { readonly namespace: string; readonly name: string }>(
  by: 'service' | 'workload',
  route: Route,
): readonly Column<R>[] {
  return [
    {
      title: 'Name',
      cell: r => nodeLink(by, `${r.namespace}/${r.name}`, route, r.name),
      sort: r => `${r.name} ${r.namespace}`,
    },
    { title: 'Namespace', cell: r => r.namespace, sort: r => `${r.namespace} ${r.name}` },
  ];
}

function podsCell(healthy: number, all: number): Child {
  if (all === 0) return chip('bad', 'no pods');
  return healthy === all
    ? `${healthy}/${all}`
    : chip(healthy === 0 ? 'bad' : 'warning', `${healthy}/${all} healthy`);
}

function meshCell(counts: { readonly meshedPods: number; readonly pods: number }): Child {
  const text = meshText(counts);
  if (text === '') return UNKNOWN;
  return chip(text === 'in the mesh' ? 'good' : text === 'not in the mesh' ? 'bad' : 'warning', text);
}

function serviceColumns(route: Route): readonly Column<ServiceRow>[] {
  return [
    ...named<ServiceRow>('service', route),
    { title: 'Address', cell: r => r.addresses.join(', ') || 'headless' },
    { title: 'Pods', cell: r => podsCell(r.healthyPods, r.pods), sort: r => r.pods },
    { title: 'Mesh', cell: meshCell, sort: r => r.meshedPods },
    { title: 'Waypoint', cell: r => r.waypoint || 'none', sort: r => r.waypoint },
    ...figureColumns<ServiceRow>(r => r.figures),
  ];
}

function workloadColumns(route: Route): readonly Column<WorkloadRow>[] {
  const counts = ({ pods }: WorkloadRow): { meshedPods: number; pods: number } => ({
    pods: pods.length,
    meshedPods: pods.filter(p => p.protocol === 'HBONE').length,
  });
  const healthy = ({ pods }: WorkloadRow): number => pods.filter(p => p.healthy).length;
  return [
    ...named<WorkloadRow>('workload', route),
    { title: 'Pods', cell: r => podsCell(healthy(r), r.pods.length), sort: r => r.pods.length },
    { title: 'Mesh', cell: r => meshCell(counts(r)), sort: r => counts(r).meshedPods },
    { title: 'Identity', cell: r => identityView(r.identity), sort: r => shortIdentity(r.identity) },
    {
      title: 'Services',
      cell: r =>
        r.isWaypoint ? [chip('plain', 'waypoint')] : r.services.map(s => nodeLink('service', s, route)),
      sort: r => r.services.join(),
    },
    ...figureColumns<WorkloadRow>(r => r.figures),
  ];
}

function proxyColumns(nowMs: number): readonly Column<ProxyRow>[] {
  return [
    { title: 'Name', cell: r => r.name, sort: r => r.name },
    { title: 'Kind', cell: r => r.kind, sort: r => r.kind },
    { title: 'Namespace', cell: r => r.namespace || UNKNOWN, sort: r => r.namespace },
    { title: 'Node', cell: r => r.node || UNKNOWN, sort: r => r.node },
    { title: 'State', cell: r => proxyState(r, nowMs), sort: r => r.error },
    { title: 'Version', cell: r => r.version || UNKNOWN, sort: r => r.version },
    { title: 'Engine', cell: r => r.engine || UNKNOWN, sort: r => r.engine },
    {
      title: 'Certificates',
      cell: r => certificatesView(r.certificates, nowMs),
      sort: r => soonest(r.certificates),
      hint: 'When the first of them ends; they are renewed at half of their lives',
    },
  ];
}

function proxyState(row: ProxyRow, nowMs: number): readonly Child[] {
  if (row.error !== '') return [chip('bad', 'silent'), el('p', { class: 'reason' }, row.error)];
  if (row.kind === 'controller') return [chip('good', 'answers')];
  if (row.controller === '') return [chip('bad', 'no controller')];
  const odd = row.types.filter(type => type.state !== 'synced');
  if (odd.length === 0) return [chip('good', 'synced'), ` with ${row.controller}`];
  return odd.flatMap(type => [
    chip(typeTone(type), `${type.type}: ${type.state}`),
    el('p', { class: 'reason' }, typeReason(type, nowMs)),
  ]);
}

function typeTone({ state }: TypeState): Tone {
  return state === 'nack' ? 'bad' : 'warning';
}

function typeReason({ pending, reason, sinceMs }: TypeState, nowMs: number): string {
  if (reason !== '') return reason;
  const since = sinceMs === null ? '' : ` for ${duration(nowMs - sinceMs)}`;
  return `${plural(pending, 'change')} not acknowledged${since}`;
}

function soonest(certificates: readonly CertificateRow[]): number | null {
  const ends = certificates.flatMap(c => c.notAfterMs ?? []);
  return ends.length === 0 ? null : Math.min(...ends);
}

/** One line, and all of them behind it. */
function certificatesView(certificates: readonly CertificateRow[], nowMs: number): Child {
  if (certificates.length === 0) return UNKNOWN;
  const bad = certificates.filter(c => c.state !== 'Available' || !c.valid);
  const first = soonest(certificates);
  const summary = [
    plural(certificates.length, 'certificate'),
    ...(first === null ? [] : [`first ends in ${duration(first - nowMs)}`]),
  ].join(', ');
  return el(
    'details',
    {},
    el('summary', {}, ...(bad.length > 0 ? [chip('bad', `${bad.length} not valid`), ' '] : []), summary),
    el(
      'ul',
      { class: 'certificates' },
      ...certificates.map(c =>
        el('li', { key: c.identity }, identityView(c.identity), ` ${certificateText(c, nowMs)}`),
      ),
    ),
  );
}

function certificateText({ error, notAfterMs, state, valid }: CertificateRow, nowMs: number): string {
  if (state !== 'Available') return `${state}${error === '' ? '' : `: ${error}`}`;
  if (notAfterMs === null) return 'end not known';
  const left = notAfterMs - nowMs;
  return !valid || left <= 0 ? 'not valid' : `ends in ${duration(left)}`;
}

const ACTION_TONES: Readonly<Record<string, Tone>> = { deny: 'bad', allow: 'good' };

function policyColumns(route: Route): readonly Column<PolicyRow>[] {
  return [
    { title: 'Name', cell: r => r.name, sort: r => `${r.name} ${r.namespace}` },
    { title: 'Namespace', cell: r => r.namespace, sort: r => r.namespace },
    {
      title: 'Action',
      cell: r => [
        chip(ACTION_TONES[r.action] ?? 'plain', r.action.toUpperCase()),
        ...(r.dryRun ? [chip('idle', 'dry run')] : []),
      ],
      sort: r => r.action,
    },
    { title: 'Scope', cell: r => r.scope.replaceAll('_', ' '), sort: r => r.scope },
    { title: 'Rules', isFigure: true, cell: r => String(r.rules), sort: r => r.rules },
    {
      title: 'Held by ztunnels of',
      cell: r => namesView(r.workloads, 'workload', route),
      sort: r => r.workloads.length,
    },
    {
      title: 'Held by waypoints of',
      cell: r => namesView(r.services, 'service', route),
      sort: r => r.services.length,
    },
    {
      title: 'Refused',
      isFigure: true,
      cell: r => (r.refused === 0 ? '0' : chip('bad', String(r.refused))),
      sort: r => r.refused,
      hint: 'As the logs of proxies tell; with several ALLOW policies none of them is to blame',
    },
  ];
}

const MAX_NAMES = 6;

function namesView(names: readonly string[], by: 'service' | 'workload', route: Route): readonly Child[] {
  if (names.length === 0) return ['none'];
  const links = names
    .slice(0, MAX_NAMES)
    .flatMap((name, i) => [...(i === 0 ? [] : [', ']), nodeLink(by, name, route)]);
  return names.length > MAX_NAMES ? [...links, ` and ${names.length - MAX_NAMES} more`] : links;
}
