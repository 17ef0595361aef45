import { objectAt, textAt } from '../loose-fields.ts';
import type { Fields } from '../decode.ts';

interface Unheeded {
  readonly field: string;
  readonly message: string;
  readonly fix: string;
}

/** Settings whose absence would be felt. Those that have their like in the chart, or mean nothing without sidecars, are passed over. */
const UNHEEDED: readonly Unheeded[] = [
  {
    field: 'trustDomainAliases',
    message: 'are not known: who has a certificate of such a domain is a stranger, whatever policies say',
    fix: 'write policies for the trust domain of this mesh',
  },
  {
    field: 'localityLbSetting',
    message: 'is not read: only DestinationRules and Services say something of localities',
    fix: 'write localityLbSetting into DestinationRules, or spec.trafficDistribution into Services',
  },
  {
    field: 'defaultHttpRetryPolicy',
    message: 'is not read: routes without retries of their own are tried as by default',
    fix: 'write retries into the routes',
  },
  {
    field: 'connectTimeout',
    message: 'is not read',
    fix: 'set CONNECT_TIMEOUT of ztunnel and waypoint, or connectTimeout in DestinationRules',
  },
  {
    field: 'tcpKeepalive',
    message: 'is not read',
    fix: 'write tcpKeepalive into connectionPool.tcp of DestinationRules',
  },
  {
    field: 'discoverySelectors',
    message: 'are not read: objects of every namespace count',
    fix: 'remove them; a namespace without istio.io/dataplane-mode is not captured',
  },
];

/** What the configuration asks for and nobody here does. */
export function sayOfUnheeded(mesh: Fields, trustDomain: string): void {
  for (const { field, fix, message } of UNHEEDED) if (mesh.has(field)) mesh.ignore(field, message, fix);
  const outbound = textAt(objectAt(mesh.raw('outboundTrafficPolicy')), 'mode');
  if (outbound === 'REGISTRY_ONLY')
    mesh.ignore(
      'outboundTrafficPolicy',
      'is not read: hosts that nobody has declared can be reached, unless ztunnels are told',
      'set OUTBOUND_TRAFFIC_POLICY=REGISTRY_ONLY on ztunnels (chart: ztunnel.env)',
    );
  const domain = mesh.raw('trustDomain');
  if (typeof domain === 'string' && domain !== '' && domain !== trustDomain)
    mesh.ignore(
      'trustDomain',
      `is not that of this mesh, ${trustDomain}: principals of it are nobody's`,
      `install with global.trustDomain=${domain}, or write policies for ${trustDomain}`,
    );
  const providers = objectAt(mesh.raw('defaultProviders'));
  if (['accessLogging', 'tracing'].some(key => key in providers))
    mesh.ignore(
      'defaultProviders',
      'are not read: what is logged and traced without a Telemetry is as the waypoints are set up',
      'write a Telemetry in the root namespace',
    );
}
