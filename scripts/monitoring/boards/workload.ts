import { type Board, chart, type Panel, stat } from '../board.ts';
import { orZero, quantile, select, share, sumRate } from '../promql.ts';

const DURATION = 'istio_request_duration_milliseconds';

/** One side of the traffic of the chosen workloads. */
interface Side {
  readonly name: 'in' | 'out';
  /** By requests, and by connections: each end counts those of its own pods. */
  readonly requests: readonly string[];
  readonly connections: readonly string[];
  /** Who is at the other end. */
  readonly peer: readonly [string, string];
}

const IN: Side = {
  name: 'in',
  requests: [
    'reporter="waypoint"',
    'destination_workload_namespace=~"$namespace"',
    'destination_workload=~"$workload"',
  ],
  connections: [
    'reporter="destination"',
    'destination_workload_namespace=~"$namespace"',
    'destination_workload=~"$workload"',
  ],
  peer: ['source_workload', 'source_workload_namespace'],
};

const OUT: Side = {
  name: 'out',
  requests: [
    'reporter="waypoint"',
    'source_workload_namespace=~"$namespace"',
    'source_workload=~"$workload"',
  ],
  connections: [
    'reporter="source"',
    'source_workload_namespace=~"$namespace"',
    'source_workload=~"$workload"',
  ],
  peer: ['destination_workload', 'destination_workload_namespace'],
};

function requests(side: Side, ...more: string[]): string {
  return select('istio_requests_total', ...side.requests, ...more);
}

function connections(metric: string, side: Side, ...more: string[]): string {
  return select(`istio_tcp_${metric}`, ...side.connections, ...more);
}

function success(side: Side, ...by: string[]): string {
  return share(sumRate(requests(side, 'response_code!~"5.."'), ...by), sumRate(requests(side), ...by));
}

function panelsOf(side: Side): readonly Panel[] {
  const { peer } = side;
  const legend = peer.map(label => `{{${label}}}`).join('.');
  const other = side.name === 'in' ? 'clients' : 'servers';
  return [
    chart(`Requests ${side.name}`, `Through waypoints, by ${other}.`, 'reqps', [
      { expr: sumRate(requests(side), ...peer), legend },
    ]),
    chart(`Success ${side.name}`, 'Requests that did not end with a 5xx.', 'percentunit', [
      { expr: success(side, ...peer), legend },
    ]),
    chart(`Duration ${side.name}, 95 of 100`, `By ${other}.`, 'ms', [
      { expr: quantile(0.95, DURATION, side.requests, ...peer), legend },
    ]),
    chart(
      `Connections ${side.name}`,
      'By who is at the other end; behind a waypoint that is the waypoint, or unknown.',
      'cps',
      [{ expr: sumRate(connections('connections_opened_total', side), ...peer), legend }],
    ),
    chart(`Bytes ${side.name}`, 'What clients send, and what comes back.', 'Bps', [
      { expr: sumRate(connections('received_bytes_total', side)), legend: 'requests' },
      { expr: sumRate(connections('sent_bytes_total', side)), legend: 'responses' },
    ]),
    chart(`Failed connections ${side.name}`, 'By response flag (docs/access-log.md).', 'cps', [
      {
        expr: sumRate(connections('connections_failed_total', side), 'response_flags'),
        legend: '{{response_flags}}',
      },
    ]),
  ];
}

/** A namespace, or some of its workloads: what comes in and what goes out. */
export const WORKLOAD: Board = {
  uid: 'ambient-workload',
  title: 'Ambient mesh / Workload and namespace',
  description:
    'Workloads of a namespace: requests, connections and bytes, in and out, and who is at the other end.',
  variables: [
    {
      kind: 'query',
      name: 'namespace',
      label: 'Namespace',
      query: 'label_values(istio_tcp_connections_opened_total{reporter="source"}, source_workload_namespace)',
      multi: true,
    },
    {
      kind: 'query',
      name: 'workload',
      label: 'Workload',
      query:
        'label_values(istio_tcp_connections_opened_total{reporter="source", source_workload_namespace=~"$namespace"}, source_workload)',
      multi: true,
    },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Requests in', 'Through waypoints.', 'reqps', sumRate(requests(IN))),
        stat('Success in', 'Requests that did not end with a 5xx.', 'percentunit', success(IN), {
          alarm: { at: 0.99, below: true },
        }),
        stat('Requests out', 'Through waypoints.', 'reqps', sumRate(requests(OUT))),
        stat('Success out', 'Requests that did not end with a 5xx.', 'percentunit', success(OUT), {
          alarm: { at: 0.99, below: true },
        }),
        stat(
          'Mutual TLS in',
          'Share of the connections in whose client proved who it is.',
          'percentunit',
          share(
            sumRate(connections('connections_opened_total', IN, 'connection_security_policy="mutual_tls"')),
            sumRate(connections('connections_opened_total', IN)),
          ),
        ),
        stat(
          'Refused in',
          'Connections and requests into the namespace that policies refused or cut.',
          'cps',
          orZero(
            sumRate(
              select('ambient_authorization_denied_total', 'destination_workload_namespace=~"$namespace"'),
            ),
          ),
        ),
      ],
    },
    { title: 'In', panels: panelsOf(IN) },
    { title: 'Out', panels: panelsOf(OUT) },
    {
      title: 'Policy',
      panels: [
        chart(
          'Refused in, by policy',
          'Into the namespace, by policy and rule; none: ALLOW policies apply and no rule of them matched.',
          'cps',
          [
            {
              expr: sumRate(
                select('ambient_authorization_denied_total', 'destination_workload_namespace=~"$namespace"'),
                'policy',
                'rule',
              ),
              legend: '{{policy}} rule {{rule}}',
            },
          ],
          { width: 12 },
        ),
        chart(
          'Security of connections in',
          'mutual_tls, or unknown for plaintext.',
          'cps',
          [
            {
              expr: sumRate(connections('connections_opened_total', IN), 'connection_security_policy'),
              legend: '{{connection_security_policy}}',
            },
          ],
          { width: 12, stacked: true },
        ),
      ],
    },
  ],
};
