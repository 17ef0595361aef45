import { type Board, chart, stat } from '../board.ts';
import { sum } from '../promql.ts';
import { ofPods, POD, processPanels, rateOfPods, readyPanels } from './process.ts';

const C = 'pilot';
const legend = '{{pod}}';

/** The controllers: what they push, sign, read, and who of them leads. */
export const CONTROL_PLANE: Board = {
  uid: 'ambient-control-plane',
  title: 'Ambient mesh / Control plane',
  description: 'Controllers: discovery, certificates, leadership, and the objects they read.',
  variables: [
    {
      kind: 'query',
      name: 'pod',
      label: 'Pod',
      query: 'label_values(istio_build{component="pilot"}, pod)',
      multi: true,
    },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        ...readyPanels(C),
        stat(
          'Leaders',
          'One is right; none writes no statuses and makes no waypoints.',
          'short',
          'sum(leader_election_master_status)',
          {
            alarm: { at: 1, below: true },
          },
        ),
        stat('Clients', 'Proxies with a discovery stream.', 'short', `sum(${ofPods(C, 'pilot_xds')})`),
        stat(
          'Rejected objects',
          'Not in force, or an earlier version of them is: ambientctl analyze.',
          'short',
          `sum(max by (kind, state) (ambient_rejected_objects{${POD}})) or vector(0)`,
          { alarm: { at: 1 } },
        ),
        stat(
          'End of the root',
          'Of the one that ends first; a root is rotated while it is valid (docs/identity.md).',
          's',
          'min(citadel_server_root_cert_expiry_timestamp) - time()',
          { alarm: { at: 30 * 24 * 3600, below: true } },
        ),
        stat(
          'End of the intermediate',
          'Every certificate of the mesh ends with it; another one in its Secret is taken over without a restart.',
          's',
          'min(citadel_server_cert_chain_expiry_timestamp) - time()',
          { alarm: { at: 7 * 24 * 3600, below: true } },
        ),
      ],
    },
    {
      title: 'Discovery',
      panels: [
        chart('Pushes', 'Responses sent, by type of resource.', 'ops', [
          { expr: sum(rateOfPods(C, 'pilot_xds_pushes'), 'type'), legend: '{{type}}' },
        ]),
        chart('Resources pushed', 'And removals, by type.', 'ops', [
          { expr: sum(rateOfPods(C, 'ambient_xds_pushed_resources_total'), 'type'), legend: '{{type}}' },
        ]),
        chart('Refused by proxies', 'NACKs by type: the proxies’ logs say which resource and why.', 'ops', [
          { expr: sum(rateOfPods(C, 'pilot_total_xds_rejects'), 'type'), legend: '{{type}}' },
        ]),
        chart(
          'From change to everywhere',
          'Seconds until a proxy has confirmed all that had changed for it.',
          's',
          [0.5, 0.95, 0.99].map(q => ({
            expr: `histogram_quantile(${q}, ${sum(rateOfPods(C, 'pilot_proxy_convergence_time_bucket'), 'le')})`,
            legend: `P${q * 100}`,
          })),
        ),
        chart(
          'Clients',
          'By how they stand: stale ones have not answered yet, those of nack have refused something.',
          'short',
          [{ expr: sum(ofPods(C, 'ambient_xds_clients'), 'state'), legend: '{{state}}' }],
          { stacked: true },
        ),
        chart(
          'Clients by replica',
          'They spread over the replicas when streams are renewed, every half hour.',
          'short',
          [{ expr: ofPods(C, 'pilot_xds'), legend }],
        ),
        chart('Streams refused', 'The caller could not be authenticated.', 'ops', [
          { expr: sum(rateOfPods(C, 'ambient_xds_refused_streams_total'), 'pod'), legend },
        ]),
      ],
    },
    {
      title: 'Certificates',
      panels: [
        chart(
          'Certificates',
          'Asked for and issued.',
          'ops',
          [
            { expr: sum(rateOfPods(C, 'citadel_server_csr_count')), legend: 'asked for' },
            { expr: sum(rateOfPods(C, 'citadel_server_success_cert_issuance_count')), legend: 'issued' },
          ],
          { width: 12 },
        ),
        chart(
          'Certificates refused',
          'By reason; the log says who asked for what.',
          'ops',
          [
            { expr: sum(rateOfPods(C, 'citadel_server_csr_sign_err_count'), 'error'), legend: '{{error}}' },
            {
              expr: sum(rateOfPods(C, 'citadel_server_authentication_failure_count')),
              legend: 'UNAUTHENTICATED',
            },
          ],
          { width: 12 },
        ),
      ],
    },
    {
      title: 'Objects',
      panels: [
        chart('Leader', '1: this replica writes statuses and makes waypoints.', 'bool_yes_no', [
          { expr: ofPods(C, 'leader_election_master_status'), legend },
        ]),
        chart('Failed lists and watches', 'Of the API server, by kind; each is tried again.', 'ops', [
          { expr: sum(rateOfPods(C, 'ambient_watch_errors_total'), 'kind'), legend: '{{kind}}' },
        ]),
        chart('Cannot be read', 'Kinds, or files: what was read last stays in force.', 'short', [
          { expr: ofPods(C, 'ambient_source_problems'), legend },
        ]),
        chart(
          'Rejected objects',
          'By kind: rejected ones are not in force, of stale ones an earlier version is.',
          'short',
          [
            {
              expr: `max by (kind, state) (${ofPods(C, 'ambient_rejected_objects')})`,
              legend: '{{kind}} {{state}}',
            },
          ],
          { stacked: true },
        ),
      ],
    },
    { title: 'Process', panels: processPanels(C) },
  ],
};
