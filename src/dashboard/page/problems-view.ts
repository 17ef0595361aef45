import type { ProblemRow, ProblemsFrame, RefusalRow } from '#shared/dashboard/frames.ts';
import { duration, shortHost } from '../format/figures.ts';
import type { Actions, PageState } from './context.ts';
import { type Column, dataTable } from './data-table.ts';
import { type Child, el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';
import { chip, commandsView, emptyView, identityView, leftOutView } from './parts.ts';

export function problemsView(frame: ProblemsFrame, state: PageState, actions: Actions): ElementSpec[] {
  const { problems, refusals } = frame;
  return [
    el('h1', { key: 'refused-title' }, 'Refused and failed'),
    refusals.length === 0
      ? quietView(
          'nothing-refused',
          'Nothing was refused in the last hour, as far as the logs of proxies tell.',
        )
      : refusalsTable('refusals', refusals, frame.head.atMs, state, actions),
    el('h1', { key: 'problems-title' }, 'What is wrong with objects and proxies'),
    problems.length === 0
      ? quietView(
          'nothing-wrong',
          'Nothing is: every object is in force, every proxy answers and is up to date.',
        )
      : problemsTable('problems', problems, state, actions),
    ...leftOutView(frame.leftOut),
    commandsView(state, actions),
  ];
}

function quietView(key: string, text: string): ElementSpec {
  return el('p', { key, class: 'all-well' }, text);
}

export function refusalsTable(
  name: string,
  rows: readonly RefusalRow[],
  nowMs: number,
  state: PageState,
  actions: Actions,
): ElementSpec {
  const columns: readonly Column<RefusalRow>[] = [
    {
      title: 'What',
      cell: r =>
        r.kind === 'denied' ? chip('bad', icon('refused', 12), 'refused') : chip('warning', 'failed'),
      sort: r => r.kind,
    },
    {
      title: 'From',
      cell: r => [
        el('span', { class: 'name', title: r.source }, r.source),
        ...(r.sourceIdentity === '' ? [] : [' ', identityView(r.sourceIdentity)]),
      ],
      sort: r => r.source,
    },
    { title: 'To', cell: r => destinationView(r), sort: r => r.destination || r.service },
    { title: 'Policy', cell: r => policyView(r), sort: r => r.policy },
    { title: 'Why', cell: r => el('p', { class: 'reason' }, r.reason), sort: r => r.reason },
    { title: 'Times', isFigure: true, cell: r => String(r.count), sort: r => r.count },
    {
      title: 'Last',
      isFigure: true,
      cell: r => `${duration(nowMs - r.lastMs)} ago`,
      sort: r => r.lastMs,
    },
    { title: 'Says', cell: r => r.proxy, sort: r => r.proxy, hint: 'The proxy in whose log it stands' },
  ];
  return dataTable(
    {
      name,
      caption: 'What was refused by policy, or failed: what is alike together',
      columns,
      rows,
      key: r => [r.kind, r.source, r.destination, r.service, r.policy, r.rule, r.reason].join('\0'),
      sorting: { column: 'Last', isDescending: true },
    },
    state,
    actions,
  );
}

function destinationView({ destination, request, service }: RefusalRow): readonly Child[] {
  const names = [destination, shortHost(service)].filter(name => name !== '');
  return [names.join(' for '), ...(request === '' ? [] : [el('code', { class: 'request' }, request)])];
}

function policyView({ policy, rule }: RefusalRow): readonly Child[] {
  if (policy === '') return ['–'];
  return [el('code', { class: 'name', title: policy }, policy), ...(rule === null ? [] : [` rule ${rule}`])];
}

export function problemsTable(
  name: string,
  rows: readonly ProblemRow[],
  state: PageState,
  actions: Actions,
): ElementSpec {
  const columns: readonly Column<ProblemRow>[] = [
    {
      title: 'Level',
      cell: r => chip(r.level === 'Error' ? 'bad' : 'warning', r.level),
      sort: r => r.level,
    },
    { title: 'Object', cell: r => r.object, sort: r => r.object },
    { title: 'Field', cell: r => el('code', { class: 'field' }, r.field), sort: r => r.field },
    { title: 'What', cell: r => r.message, sort: r => r.message },
    { title: 'What to do', cell: r => r.fix },
  ];
  return dataTable(
    {
      name,
      caption: 'What analyze and check say',
      columns,
      rows,
      key: r => [r.object, r.field, r.message].join('\0'),
      sorting: { column: 'Level', isDescending: false },
    },
    state,
    actions,
  );
}

export function unknownView(name: string): ElementSpec {
  return emptyView(
    `The proxies know nothing of ${name}`,
    'It may be gone, or not be there yet. What they know: ',
    el('code', {}, 'ambientctl names services pods'),
  );
}
