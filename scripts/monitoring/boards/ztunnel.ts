import { type Board, chart, stat } from '../board.ts';
import { sum } from '../promql.ts';
import { ofPods, perPod, processPanels, rateOfPods, readyPanels } from './process.ts';

const Z = 'ztunnel';
const legend = '{{pod}}';

/** The ztunnels: what they carry, what they refuse, and whether they are up to date. */
export const ZTUNNEL: Board = {
  uid: 'ambient-ztunnel',
  title: 'Ambient mesh / Ztunnel',
  description: 'Ztunnels: captured pods, connections, handshakes, certificates, configuration, memory.',
  variables: [
    {
      kind: 'query',
      name: 'pod',
      label: 'Pod',
      query: 'label_values(istio_build{component="ztunnel"}, pod)',
      multi: true,
    },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        ...readyPanels(Z),
        stat(
          'Pods captured',
          'Of the nodes that are chosen.',
          'short',
          `sum(${ofPods(Z, 'workload_manager_active_proxy_count')})`,
        ),
        stat(
          'Pods not captured',
          'That are to be and could not be: their traffic is outside the mesh, or refused.',
          'short',
          `sum(${ofPods(Z, 'workload_manager_pending_proxy_count')})`,
          { alarm: { at: 1 } },
        ),
        stat(
          'Without certificate',
          'Identities that have no valid certificate: their connections fail.',
          'short',
          `sum(${ofPods(Z, 'ambient_identities_without_certificate')})`,
          { alarm: { at: 1 } },
        ),
        stat(
          'Without controller',
          'Ztunnels without a discovery stream: they go on with what they know last.',
          'short',
          `count((${ofPods(Z, 'ambient_xds_connected')}) == 0) or vector(0)`,
          { alarm: { at: 1 } },
        ),
      ],
    },
    {
      title: 'Connections',
      panels: [
        chart('Connections opened', 'By pod of ztunnel and side: source, destination.', 'cps', [
          {
            expr: sum(rateOfPods(Z, 'istio_tcp_connections_opened_total'), 'pod', 'reporter'),
            legend: '{{pod}} {{reporter}}',
          },
        ]),
        chart('Sockets open', 'Two for each connection that is carried.', 'short', [
          { expr: ofPods(Z, 'istio_tcp_sockets_open'), legend },
        ]),
        chart('Bytes', 'Of both directions.', 'Bps', [
          { expr: perPod(Z, 'istio_tcp_sent_bytes_total'), legend: '{{pod}} responses' },
          { expr: perPod(Z, 'istio_tcp_received_bytes_total'), legend: '{{pod}} requests' },
        ]),
        chart('Failed connections', 'By response flag (docs/access-log.md).', 'cps', [
          {
            expr: sum(rateOfPods(Z, 'istio_tcp_connections_failed_total'), 'response_flags', 'reporter'),
            legend: '{{response_flags}} ({{reporter}})',
          },
        ]),
        chart('Refused by policy', 'By policy and rule.', 'cps', [
          {
            expr: sum(rateOfPods(Z, 'ambient_authorization_denied_total'), 'policy', 'rule'),
            legend: '{{policy}} rule {{rule}}',
          },
        ]),
        chart('Connections of pods', 'The ten that have the most, by direction.', 'short', [
          {
            expr: `topk(10, ${ofPods(Z, 'ambient_pod_connections')})`,
            legend: '{{captured_namespace}}/{{captured_pod}} {{direction}}',
          },
        ]),
        chart(
          'Refused for want of a place',
          'A pod has as many as it may (pod), or as are left for all others (node).',
          'cps',
          [
            {
              expr: sum(
                rateOfPods(Z, 'ambient_connections_refused_total'),
                'captured_namespace',
                'captured_pod',
                'direction',
                'bound',
              ),
              legend: '{{captured_namespace}}/{{captured_pod}} {{direction}} ({{bound}})',
            },
          ],
        ),
        chart(
          'Handshakes',
          'Of HBONE, by side. Failed: a certificate that is not trusted or over, a peer that went away. Refused: too many at a time.',
          'cps',
          [
            {
              expr: sum(rateOfPods(Z, 'ambient_tls_handshakes_total'), 'side', 'result'),
              legend: '{{side}} {{result}}',
            },
          ],
        ),
        chart('Handshakes that wait', 'For a place: more clients connect than can be answered.', 'short', [
          {
            expr: sum(ofPods(Z, 'ambient_tls_handshakes_open', 'state="waiting"'), 'side'),
            legend: '{{side}}',
          },
        ]),
        chart('Traffic threads that ended', 'And were started again; their connections are lost.', 'ops', [
          { expr: perPod(Z, 'ambient_worker_restarts_total'), legend },
        ]),
        chart('Pods captured', 'Of each node, and those that could not be.', 'short', [
          { expr: ofPods(Z, 'workload_manager_active_proxy_count'), legend },
          { expr: ofPods(Z, 'workload_manager_pending_proxy_count'), legend: '{{pod}} not captured' },
        ]),
      ],
    },
    {
      title: 'Certificates and configuration',
      panels: [
        chart(
          'Soonest end of a certificate',
          'Renewed at half of their life: a line that falls to zero is one that is not.',
          's',
          [{ expr: `(${ofPods(Z, 'ambient_identity_cert_expiration_timestamp_seconds')}) - time()`, legend }],
        ),
        chart(
          'Identities',
          'That certificates are kept for: service accounts of the pods of the node.',
          'short',
          [{ expr: ofPods(Z, 'ambient_identities'), legend }],
        ),
        chart('Discovery stream', '1: there is one.', 'bool_yes_no', [
          { expr: ofPods(Z, 'ambient_xds_connected'), legend },
        ]),
        chart(
          'Age of the configuration',
          'Since the last response of the controller. In a mesh where nothing changes it grows, and nothing is wrong.',
          's',
          [{ expr: `time() - (${ofPods(Z, 'ambient_xds_last_response_timestamp_seconds')})`, legend }],
        ),
        chart('Responses of the controller', 'By type of resource.', 'ops', [
          { expr: sum(rateOfPods(Z, 'istio_xds_message_total'), 'url'), legend: '{{url}}' },
        ]),
        chart('Bytes of configuration', 'By type of resource.', 'Bps', [
          { expr: sum(rateOfPods(Z, 'istio_xds_message_bytes_total'), 'url'), legend: '{{url}}' },
        ]),
        chart('Resources refused', 'That were not acceptable; the last good ones stay.', 'ops', [
          { expr: sum(rateOfPods(Z, 'ambient_xds_rejected_resources_total'), 'url'), legend: '{{url}}' },
        ]),
        chart('Ends of discovery streams', 'Every half hour one is ordinary: streams are renewed.', 'ops', [
          {
            expr: sum(rateOfPods(Z, 'istio_xds_connection_terminations_total'), 'reason'),
            legend: '{{reason}}',
          },
        ]),
        chart('CNI plugin', '1: it is in the chain of the node.', 'bool_yes_no', [
          { expr: ofPods(Z, 'istio_cni_install_ready'), legend },
        ]),
      ],
    },
    { title: 'Process', panels: processPanels(Z) },
  ],
};
