import { type Board, chart, type Query, stat, type Variable } from '../board.ts';
import { orZero, quantile, select, share, sumRate } from '../promql.ts';

const SERVICE = 'destination_service=~"$service"';
const CHOSEN = ['reporter=~"$reporter"', SERVICE];
const REQUESTS = select('istio_requests_total', ...CHOSEN);
const ANSWERED = select('istio_requests_total', ...CHOSEN, 'response_code!~"5.."');
const DURATION = 'istio_request_duration_milliseconds';
const CLIENT = ['source_workload', 'source_workload_namespace'];
const CLIENT_LEGEND = '{{source_workload}}.{{source_workload_namespace}}';
/** Clients' ztunnels know which service was asked for; its pods' do not. */
const TCP = ['reporter="source"', SERVICE];
const QUANTILES = [0.5, 0.95, 0.99];

export const NAMESPACE_OF_SERVICE: Variable = {
  kind: 'query',
  name: 'namespace',
  label: 'Namespace',
  query:
    'label_values({__name__=~"istio_requests_total|istio_tcp_connections_opened_total"}, destination_service_namespace)',
  multi: true,
};

const VARIABLES: readonly Variable[] = [
  NAMESPACE_OF_SERVICE,
  {
    kind: 'query',
    name: 'service',
    label: 'Service',
    query:
      'label_values({__name__=~"istio_requests_total|istio_tcp_connections_opened_total", destination_service_namespace=~"$namespace"}, destination_service)',
    multi: true,
  },
  {
    kind: 'custom',
    name: 'reporter',
    label: 'Reporter of requests',
    options: ['waypoint', 'source', 'destination'],
  },
];

function quantiles(metric: string): Query[] {
  return QUANTILES.map(q => ({ expr: quantile(q, metric, CHOSEN), legend: `P${q * 100}` }));
}

/** One service, or some: who calls it, what they get, and how long it takes. */
export const SERVICE_BOARD: Board = {
  uid: 'ambient-service',
  title: 'Ambient mesh / Service',
  description:
    'Services: rate, errors and duration of requests by client, code and flag; retries; connections.',
  variables: VARIABLES,
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Requests', 'Of the services that are chosen.', 'reqps', sumRate(REQUESTS)),
        stat(
          'Success',
          'Requests that did not end with a 5xx.',
          'percentunit',
          share(sumRate(ANSWERED), sumRate(REQUESTS)),
          { alarm: { at: 0.99, below: true } },
        ),
        stat('Duration, median', 'Half of the requests took less.', 'ms', quantile(0.5, DURATION, CHOSEN)),
        stat('Duration, 99 of 100', 'One of a hundred took longer.', 'ms', quantile(0.99, DURATION, CHOSEN)),
        stat(
          'Retries',
          'Tries beyond the first, for each request.',
          'percentunit',
          share(`(${orZero(sumRate(select('ambient_request_retries_total', SERVICE)))})`, sumRate(REQUESTS)),
        ),
        stat(
          'Connections',
          'That captured pods open to these services.',
          'cps',
          sumRate(select('istio_tcp_connections_opened_total', ...TCP)),
        ),
      ],
    },
    {
      title: 'Requests',
      panels: [
        chart('Requests by client', 'Workload and namespace of who asks.', 'reqps', [
          { expr: sumRate(REQUESTS, ...CLIENT), legend: CLIENT_LEGEND },
        ]),
        chart('Success by client', 'Requests that did not end with a 5xx.', 'percentunit', [
          { expr: share(sumRate(ANSWERED, ...CLIENT), sumRate(REQUESTS, ...CLIENT)), legend: CLIENT_LEGEND },
        ]),
        chart(
          'By code and flag',
          'Flags tell what the waypoint did about it (docs/access-log.md); -: the answer is the application’s. Code 0: the client was gone.',
          'reqps',
          [
            {
              expr: sumRate(REQUESTS, 'response_code', 'response_flags'),
              legend: '{{response_code}} {{response_flags}}',
            },
          ],
        ),
        chart(
          'Duration',
          'From the head of a request to the end of its response.',
          'ms',
          quantiles(DURATION),
        ),
        chart('Duration by client, 95 of 100', 'By who asks.', 'ms', [
          { expr: quantile(0.95, DURATION, CHOSEN, ...CLIENT), legend: CLIENT_LEGEND },
        ]),
        chart('Duration by endpoint, 95 of 100', 'By the workload that answered.', 'ms', [
          {
            expr: quantile(0.95, DURATION, CHOSEN, 'destination_workload', 'destination_version'),
            legend: '{{destination_workload}} {{destination_version}}',
          },
        ]),
        chart(
          'Requests by endpoint',
          'Of a canary: which version gets how much.',
          'reqps',
          [
            {
              expr: sumRate(REQUESTS, 'destination_workload', 'destination_version'),
              legend: '{{destination_workload}} {{destination_version}}',
            },
          ],
          { stacked: true },
        ),
        chart('Size of requests', 'Of the bodies.', 'bytes', quantiles('istio_request_bytes')),
        chart('Size of responses', 'Of the bodies.', 'bytes', quantiles('istio_response_bytes')),
      ],
    },
    {
      title: 'Resilience',
      panels: [
        chart('Retries', 'Tries beyond the first, by what came of the request in the end.', 'ops', [
          {
            expr: sumRate(
              select('ambient_request_retries_total', SERVICE),
              'destination_service_name',
              'result',
            ),
            legend: '{{destination_service_name}}: {{result}}',
          },
        ]),
        chart('Endpoints left out', 'By reason: outlier detection, failure accrual, no connection.', 'ops', [
          {
            expr: sumRate(
              select('ambient_endpoint_ejections_total', SERVICE),
              'destination_service',
              'reason',
            ),
            legend: '{{destination_service}}: {{reason}}',
          },
        ]),
        chart(
          'Routes with response classes',
          'Success as the ServiceProfile of the service counts it.',
          'reqps',
          [
            {
              expr: sumRate(select('ambient_route_requests_total', SERVICE), 'route', 'classification'),
              legend: '{{route}}: {{classification}}',
            },
          ],
        ),
      ],
    },
    {
      title: 'gRPC',
      panels: [
        chart(
          'By gRPC status',
          'Status 0 is OK.',
          'reqps',
          [
            {
              expr: sumRate(
                select('istio_requests_total', ...CHOSEN, 'request_protocol="grpc"'),
                'grpc_response_status',
              ),
              legend: '{{grpc_response_status}}',
            },
          ],
          { width: 12 },
        ),
        chart(
          'Messages',
          'What clients and servers send.',
          'ops',
          [
            { expr: sumRate(select('istio_request_messages_total', ...CHOSEN)), legend: 'of clients' },
            { expr: sumRate(select('istio_response_messages_total', ...CHOSEN)), legend: 'of servers' },
          ],
          { width: 12 },
        ),
      ],
    },
    {
      title: 'Connections',
      panels: [
        chart('Connections by client', 'Opened, as clients’ ztunnels count them.', 'cps', [
          {
            expr: sumRate(select('istio_tcp_connections_opened_total', ...TCP), ...CLIENT),
            legend: CLIENT_LEGEND,
          },
        ]),
        chart('Bytes', 'Of what clients send and what comes back.', 'Bps', [
          { expr: sumRate(select('istio_tcp_received_bytes_total', ...TCP)), legend: 'requests' },
          { expr: sumRate(select('istio_tcp_sent_bytes_total', ...TCP)), legend: 'responses' },
        ]),
        chart('Failed connections', 'By response flag and who reports them.', 'cps', [
          {
            expr: sumRate(
              select('istio_tcp_connections_failed_total', SERVICE),
              'response_flags',
              'reporter',
            ),
            legend: '{{response_flags}} ({{reporter}})',
          },
        ]),
      ],
    },
  ],
};
