import type { TapEvent } from '#shared/dashboard/frames.ts';
import { milliseconds } from '../format/figures.ts';
import type { Actions, TapFilterState, TapState } from './context.ts';
import { type Child, el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';
import { chip } from './parts.ts';

const FIELDS: readonly (readonly [keyof TapFilterState, string, string])[] = [
  ['method', 'Method', 'GET'],
  ['path', 'Path begins', '/api'],
  ['status', 'Status', '5xx'],
  ['source', 'From', 'orders'],
];

export interface TapSubject {
  /** Requests pass one on their way to it, or may on their way from it. */
  readonly hasWaypoint: boolean;
  /** Of a workload: it may be tapped for each, or for what it sends itself. Undefined: it is a service. */
  readonly services: readonly string[] | undefined;
}

/** Requests as they pass waypoints, while it is switched on. */
export function tapView(tap: TapState, { hasWaypoint, services }: TapSubject, actions: Actions): ElementSpec {
  return el(
    'section',
    { key: 'tap', class: 'tap', 'aria-label': 'Requests as they pass' },
    el('h2', {}, 'Requests as they pass'),
    ...(hasWaypoint
      ? [
          formView(tap, services, actions),
          ...(tap.note === '' ? [] : [el('p', { class: 'quiet', role: 'status' }, tap.note)]),
          listView(tap),
        ]
      : [
          el(
            'p',
            { class: 'quiet' },
            'Only waypoints see requests, and none is asked for: give the Service the label istio.io/use-waypoint. Connections are counted without.',
          ),
        ]),
  );
}

function formView(
  { filter, isOn, of }: TapState,
  services: readonly string[] | undefined,
  actions: Actions,
): ElementSpec {
  // What a workload sends is from nobody else.
  const fields = FIELDS.filter(([name]) => name !== 'source' || services === undefined || of !== '');
  const submit = (event: Event): void => {
    event.preventDefault();
    actions.tap(!isOn);
  };
  return el(
    'form',
    { on: { submit } },
    ...(services === undefined ? [] : [subjectView(services, of, isOn, actions)]),
    ...fields.map(([name, title, example]) =>
      el(
        'label',
        { key: name },
        title,
        el('input', {
          type: 'text',
          value: filter[name],
          placeholder: example,
          disabled: isOn,
          autocomplete: 'off',
          spellcheck: 'false',
          on: {
            input: event => {
              if (event.currentTarget instanceof HTMLInputElement)
                actions.tapFilter({ [name]: event.currentTarget.value });
            },
          },
        }),
      ),
    ),
    el('button', { type: 'submit', class: isOn ? 'stop' : 'start' }, isOn ? 'Stop' : 'Watch'),
  );
}

function subjectView(services: readonly string[], of: string, isOn: boolean, actions: Actions): ElementSpec {
  const change = (event: Event): void => {
    if (event.currentTarget instanceof HTMLSelectElement) actions.tapOf(event.currentTarget.value);
  };
  const option = (value: string, text: string): ElementSpec =>
    el('option', { key: value, value, selected: value === of }, text);
  return el(
    'label',
    { key: 'of' },
    'Requests',
    el(
      'select',
      { disabled: isOn, on: { change } },
      option('', 'that it sends'),
      ...services.map(name => option(name, `to ${name}`)),
    ),
  );
}

function listView({ events, isOn }: TapState): ElementSpec {
  if (events.length === 0)
    return el(
      'p',
      { key: 'none', class: 'quiet' },
      isOn ? 'No request has passed yet.' : 'Nothing is watched.',
    );
  return el(
    'div',
    { key: 'list', class: 'table', role: 'region', 'aria-label': 'Requests', tabindex: 0 },
    el(
      'table',
      {},
      el('caption', {}, 'The latest requests'),
      el('thead', {}, el('tr', {}, ...TITLES.map(title => el('th', { key: title, scope: 'col' }, title)))),
      el('tbody', {}, ...events.map(rowView)),
    ),
  );
}

const TITLES = ['Time', 'From', 'Request', 'Status', 'Took', 'To', 'Route', 'Why'];

function rowView(event: TapEvent): ElementSpec {
  const cell = (name: string, ...children: readonly Child[]): ElementSpec =>
    el('td', { key: name }, ...children);
  return el(
    'tr',
    { key: event.key },
    cell('time', new Date(event.atMs).toLocaleTimeString('en-GB')),
    cell('from', icon(event.secure ? 'locked' : 'unlocked', 12), ` ${event.source}`),
    cell(
      'request',
      el('code', { class: 'request' }, `${event.method} ${event.path}`),
      el('span', { class: 'quiet' }, ` ${event.authority}`),
    ),
    cell('status', event.over ? chip(toneOf(event), event.status || '0') : chip('idle', 'under way')),
    cell('took', milliseconds(event.durationMs)),
    cell('to', event.destination),
    cell('route', event.route),
    cell('why', [event.flags, event.error].filter(part => part !== '').join(' ')),
  );
}

function toneOf({ status }: TapEvent): 'good' | 'warning' | 'bad' {
  const code = Number(status.split(' ')[0]);
  if (code === 0 || code >= 500 || /grpc [1-9]/.test(status)) return 'bad';
  return code >= 400 ? 'warning' : 'good';
}
