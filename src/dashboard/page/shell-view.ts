import type { Head } from '#shared/dashboard/frames.ts';
import { type Route, routeHash, TABLES } from '../data/route.ts';
import { plural } from '../format/figures.ts';
import type { Actions, PageState } from './context.ts';
import { el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';

/** Name, views, what is looked at, and whether it is live. */
export function headerView(state: PageState, actions: Actions): ElementSpec {
  const { route } = state;
  const head = state.frame?.head;
  const { filter, namespace } = route;
  return el(
    'header',
    { key: 'top', class: 'top' },
    el(
      'button',
      {
        key: 'skip',
        type: 'button',
        class: 'skip',
        on: { click: () => document.getElementById('main')?.focus() },
      },
      'Skip to what is shown',
    ),
    el(
      'a',
      {
        key: 'brand',
        class: 'brand',
        href: routeHash({ page: 'graph', by: 'service', namespace, filter: '' }),
      },
      el(
        'svg',
        { width: 24, height: 22, viewBox: '0 1.5 16 14', 'aria-hidden': 'true' },
        el('path', { d: LOGO }),
      ),
      el('span', {}, 'ambient mesh'),
    ),
    navView(route, head),
    el(
      'div',
      { class: 'scope' },
      namespaceView(route, head, actions),
      el('input', {
        key: 'filter',
        type: 'search',
        value: filter,
        placeholder: 'Filter by name',
        'aria-label': 'Filter by name',
        autocomplete: 'off',
        spellcheck: 'false',
        on: { input: event => filterBy(event, state, actions) },
      }),
    ),
    liveView(state),
  );
}

const LOGO =
  'M1.5 4.5a1.8 1.8 0 1 0 3.6 0 1.8 1.8 0 1 0-3.6 0M10.9 4.5a1.8 1.8 0 1 0 3.6 0 1.8 1.8 0 1 0-3.6 0M6.2 12.6a1.8 1.8 0 1 0 3.6 0 1.8 1.8 0 1 0-3.6 0M5.1 4.5h5.8M4.2 6.1l2.9 5M11.8 6.1l-2.9 5';

function filterBy(event: Event, { route }: PageState, actions: Actions): void {
  if (event.currentTarget instanceof HTMLInputElement)
    actions.go({ ...route, filter: event.currentTarget.value });
}

function navView({ namespace, page, ...route }: Route, head: Head | undefined): ElementSpec {
  const scope = { namespace, filter: '' };
  const by = 'by' in route && page === 'graph' ? route.by : 'service';
  const views: readonly (readonly [string, Route])[] = [
    ['Graph', { page: 'graph', by, ...scope }],
    ...TABLES.map(name => [TITLES[name], { page: name, ...scope }] as const),
  ];
  const detailOf = page === 'detail' && 'by' in route ? `${route.by}s` : page;
  return el(
    'nav',
    { 'aria-label': 'Views' },
    ...views.map(([title, to]) =>
      el(
        'a',
        {
          key: title,
          href: routeHash(to),
          'aria-current': to.page === detailOf ? 'page' : undefined,
        },
        title,
        ...(to.page === 'problems' ? badgeView(head) : []),
      ),
    ),
  );
}

const TITLES: Readonly<Record<(typeof TABLES)[number], string>> = {
  services: 'Services',
  workloads: 'Workloads',
  proxies: 'Proxies',
  policies: 'Policies',
  problems: 'Problems',
};

function badgeView(head: Head | undefined): ElementSpec[] {
  if (head === undefined || head.errorCount + head.refusalCount === 0) return [];
  const said = `${plural(head.errorCount, 'error')}, ${plural(head.refusalCount, 'kind', 'kinds')} of refusals`;
  return [
    el(
      'span',
      { class: 'badge', title: said, 'aria-label': said },
      String(head.errorCount + head.refusalCount),
    ),
  ];
}

function namespaceView(route: Route, head: Head | undefined, actions: Actions): ElementSpec {
  const names = new Set([...(head?.namespaces ?? []), ...(route.namespace === '' ? [] : [route.namespace])]);
  const option = (value: string, text: string): ElementSpec =>
    el('option', { key: value, value, selected: value === route.namespace }, text);
  const change = (event: Event): void => {
    if (event.currentTarget instanceof HTMLSelectElement)
      actions.go({ ...route, namespace: event.currentTarget.value });
  };
  return el(
    'select',
    { key: 'namespace', 'aria-label': 'Namespace', on: { change } },
    option('', 'All namespaces'),
    ...[...names].sort().map(name => option(name, name)),
  );
}

function liveView({ stream }: PageState): ElementSpec {
  const [kind, text] = stream.state === 'live' ? ['live', 'Live'] : ['lost', 'Reconnecting…'];
  const said = stream.state === 'unknown' ? 'Locked' : text;
  return el('div', { class: `live ${kind}`, role: 'status' }, el('span', { class: 'dot' }), said);
}

/** What is wrong with all that is shown: at the top, with what to do. */
export function bannersView({ frame, stream }: PageState): ElementSpec[] {
  const banners: ElementSpec[] = [];
  if (stream.state === 'unknown')
    banners.push(
      bannerView('locked', [
        'This page has no key to the dashboard. ',
        'Open the address that “ambientctl dashboard” has printed in its terminal: it holds the key.',
      ]),
    );
  else if (stream.state !== 'live' && stream.why !== '')
    banners.push(
      bannerView('lost', [
        `Not live: ${stream.why}. `,
        'What is shown is what was last heard. If it has ended, start it again: ambientctl dashboard',
      ]),
    );
  const warnings = frame?.head.warnings ?? [];
  if (warnings.length > 0)
    banners.push(
      el(
        'details',
        { key: 'warnings', class: 'banner warned' },
        el(
          'summary',
          {},
          icon('warning'),
          ` ${plural(warnings.length, 'thing')} could not be asked, and may be missing`,
        ),
        el('ul', {}, ...warnings.map(text => el('li', { key: text }, text))),
      ),
    );
  return banners;
}

function bannerView(kind: string, text: readonly string[]): ElementSpec {
  return el(
    'div',
    { key: kind, class: `banner ${kind}`, role: 'alert' },
    icon('warning'),
    el('p', {}, ...text),
  );
}

export function footerView({ frame }: PageState): ElementSpec {
  const head = frame?.head;
  const parts =
    head === undefined
      ? []
      : [
          head.mesh,
          `version ${head.version}`,
          head.windowSeconds === 0
            ? 'measuring the first rates…'
            : `rates over the last ${Math.round(head.windowSeconds)} s`,
        ];
  return el('footer', { key: 'foot' }, ...parts.map(part => el('span', { key: part }, part)));
}
