import { type Board, chart, stat, table } from '../board.ts';
import { orZero, quantile, rate, select, share, sum, sumRate, withComponent } from '../promql.ts';

const WAYPOINT = 'reporter="waypoint"';
const REQUESTS = select('istio_requests_total', WAYPOINT);
const ANSWERED = select('istio_requests_total', WAYPOINT, 'response_code!~"5.."');
/** The ends of connections count them for themselves: here those of clients. */
const FROM_CLIENTS = 'reporter="source"';
const INTO_PODS = 'reporter="destination"';
const DURATION = 'istio_request_duration_milliseconds';
const SERVICE = 'destination_service';

function opened(...matchers: string[]): string {
  return select('istio_tcp_connections_opened_total', ...matchers);
}

/** The whole mesh: is it well, and if not, where. */
export const MESH: Board = {
  uid: 'ambient-mesh',
  title: 'Ambient mesh / Mesh',
  description: 'All of the mesh: traffic, success, refusals, encryption, and the health of what carries it.',
  variables: [],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Requests', 'Requests through waypoints.', 'reqps', sumRate(REQUESTS)),
        stat(
          'Success',
          'Requests through waypoints that did not end with a 5xx.',
          'percentunit',
          share(sumRate(ANSWERED), sumRate(REQUESTS)),
          { alarm: { at: 0.99, below: true } },
        ),
        stat(
          'Refused by policy',
          'Connections and requests that policies refused or cut, at ztunnels and waypoints.',
          'cps',
          orZero(sumRate('ambient_authorization_denied_total')),
        ),
        stat(
          'Mutual TLS',
          'Share of the connections into captured pods whose client proved who it is.',
          'percentunit',
          share(
            sumRate(opened(INTO_PODS, 'connection_security_policy="mutual_tls"')),
            sumRate(opened(INTO_PODS)),
          ),
        ),
        stat('Connections', 'Connections that captured pods open.', 'cps', sumRate(opened(FROM_CLIENTS))),
        stat(
          'Bytes',
          'Both directions of the connections that captured pods open.',
          'Bps',
          `${sumRate(select('istio_tcp_sent_bytes_total', FROM_CLIENTS))} + ${sumRate(select('istio_tcp_received_bytes_total', FROM_CLIENTS))}`,
        ),
      ],
    },
    {
      title: 'Traffic',
      panels: [
        chart('Requests by service', 'Through waypoints.', 'reqps', [
          { expr: sumRate(REQUESTS, SERVICE), legend: '{{destination_service}}' },
        ]),
        chart('Success by service', 'Requests that did not end with a 5xx.', 'percentunit', [
          {
            expr: share(sumRate(ANSWERED, SERVICE), sumRate(REQUESTS, SERVICE)),
            legend: '{{destination_service}}',
          },
        ]),
        chart('Duration, 99 of 100', 'From the head of a request to the end of its response.', 'ms', [
          { expr: quantile(0.99, DURATION, [WAYPOINT], SERVICE), legend: '{{destination_service}}' },
        ]),
        chart('Connections by namespace', 'That captured pods open, by the namespace of the server.', 'cps', [
          {
            expr: sumRate(opened(FROM_CLIENTS), 'destination_workload_namespace'),
            legend: '{{destination_workload_namespace}}',
          },
        ]),
        chart(
          'Refused by policy',
          'By policy and rule; none: ALLOW policies apply and no rule of them matched.',
          'cps',
          [
            {
              expr: sumRate('ambient_authorization_denied_total', 'policy', 'rule'),
              legend: '{{policy}} rule {{rule}}',
            },
          ],
        ),
        chart('Failed connections', 'By response flag (docs/access-log.md) and who reports them.', 'cps', [
          {
            expr: sumRate('istio_tcp_connections_failed_total', 'response_flags', 'reporter'),
            legend: '{{response_flags}} ({{reporter}})',
          },
        ]),
        table('Services', 'Through waypoints, over the last minutes.', [
          { expr: sumRate(REQUESTS, SERVICE), legend: 'Requests/s' },
          { expr: share(sumRate(ANSWERED, SERVICE), sumRate(REQUESTS, SERVICE)), legend: 'Success' },
          { expr: quantile(0.5, DURATION, [WAYPOINT], SERVICE), legend: 'P50 ms' },
          { expr: quantile(0.95, DURATION, [WAYPOINT], SERVICE), legend: 'P95 ms' },
          { expr: quantile(0.99, DURATION, [WAYPOINT], SERVICE), legend: 'P99 ms' },
        ]),
      ],
    },
    {
      title: 'What carries it',
      panels: [
        chart('Not ready', 'Processes of the mesh that say that they are not ready.', 'short', [
          {
            expr: `count by (component) (${withComponent('(ambient_ready == bool 0)')} == 1) or vector(0)`,
            legend: '{{component}}',
          },
        ]),
        chart('Versions', 'Two of one component: an upgrade is under way.', 'short', [
          { expr: 'count by (component, tag) (istio_build)', legend: '{{component}} {{tag}}' },
        ]),
        chart(
          'Proxies behind',
          'Proxies without a discovery stream go on with what they know last; of those that have one, the controller knows which have refused something.',
          'short',
          [
            { expr: 'count(ambient_xds_connected == 0) or vector(0)', legend: 'no stream' },
            { expr: sum('ambient_xds_clients{state!="synced"}', 'state'), legend: '{{state}}' },
          ],
        ),
        chart('Memory', 'Resident, of all processes of a component.', 'bytes', [
          {
            expr: `sum by (component) (${withComponent('process_resident_memory_bytes')})`,
            legend: '{{component}}',
          },
        ]),
        chart('Processor', 'Of all processes of a component; 1 is one processor.', 'short', [
          {
            expr: `sum by (component) (${withComponent(rate('process_cpu_seconds_total'))})`,
            legend: '{{component}}',
          },
        ]),
        chart(
          'Soonest end of a certificate',
          'Certificates are renewed at half of their life: a line that falls to zero is one that is not.',
          's',
          [
            {
              expr: 'min(ambient_identity_cert_expiration_timestamp_seconds) - time()',
              legend: 'of a workload',
            },
          ],
        ),
      ],
    },
  ],
};
