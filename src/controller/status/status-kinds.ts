/** Kinds that get a status, as they stand in paths. */
const PLURALS: ReadonlyMap<string, string> = new Map([
  ['GatewayClass', 'gatewayclasses'],
  ['Gateway', 'gateways'],
  ['HTTPRoute', 'httproutes'],
  ['HTTPRoute.policy.linkerd.io', 'httproutes'],
  ['GRPCRoute', 'grpcroutes'],
  ['TLSRoute', 'tlsroutes'],
  ['TCPRoute', 'tcproutes'],
  ['Service', 'services'],
  ['AuthorizationPolicy', 'authorizationpolicies'],
  ['PeerAuthentication', 'peerauthentications'],
  ['RequestAuthentication', 'requestauthentications'],
  ['VirtualService', 'virtualservices'],
  ['DestinationRule', 'destinationrules'],
  ['ServiceEntry', 'serviceentries'],
  ['WorkloadEntry', 'workloadentries'],
  ['Telemetry', 'telemetries'],
  ['ServiceProfile', 'serviceprofiles'],
  ['ServiceIntentions', 'serviceintentions'],
  ['JWTProvider', 'jwtproviders'],
  ['HTTPLocalRateLimitPolicy', 'httplocalratelimitpolicies'],
  ['ServiceRouter', 'servicerouters'],
  ['ServiceSplitter', 'servicesplitters'],
  ['ServiceResolver', 'serviceresolvers'],
  ['XBackendTrafficPolicy', 'xbackendtrafficpolicies'],
  ['BackendTLSPolicy', 'backendtlspolicies'],
]);

export function pluralOf(kind: string): string {
  return PLURALS.get(kind) ?? `${kind.toLowerCase()}s`;
}
