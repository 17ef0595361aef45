/** A kind this controller reads: its API group and whether its objects live in a namespace. */
export interface KnownKind {
  readonly group: string;
  readonly namespaced: boolean;
}

/** By name (`kindName`). Anything else is passed over: a directory may also hold Deployments. */
export const KNOWN_KINDS: ReadonlyMap<string, KnownKind> = new Map([
  ['Namespace', { group: '', namespaced: false }],
  ['Node', { group: '', namespaced: false }],
  ['ServiceAccount', { group: '', namespaced: true }],
  ['Service', { group: '', namespaced: true }],
  // The one of the mesh's configuration, and those with authorities that policies refer to.
  ['ConfigMap', { group: '', namespaced: true }],
  // Those with the label of credentials of TLS origination.
  ['Secret', { group: '', namespaced: true }],
  ['Pod', { group: '', namespaced: true }],
  ['EndpointSlice', { group: 'discovery.k8s.io', namespaced: true }],
  ['Gateway', { group: 'gateway.networking.k8s.io', namespaced: true }],
  ['GatewayClass', { group: 'gateway.networking.k8s.io', namespaced: false }],
  ['HTTPRoute', { group: 'gateway.networking.k8s.io', namespaced: true }],
  ['HTTPRoute.policy.linkerd.io', { group: 'policy.linkerd.io', namespaced: true }],
  ['GRPCRoute', { group: 'gateway.networking.k8s.io', namespaced: true }],
  ['TLSRoute', { group: 'gateway.networking.k8s.io', namespaced: true }],
  ['TCPRoute', { group: 'gateway.networking.k8s.io', namespaced: true }],
  ['ReferenceGrant', { group: 'gateway.networking.k8s.io', namespaced: true }],
  ['BackendTLSPolicy', { group: 'gateway.networking.k8s.io', namespaced: true }],
  ['XBackendTrafficPolicy', { group: 'gateway.networking.x-k8s.io', namespaced: true }],
  ['ServiceEntry', { group: 'networking.istio.io', namespaced: true }],
  ['WorkloadEntry', { group: 'networking.istio.io', namespaced: true }],
  ['ExternalWorkload', { group: 'workload.linkerd.io', namespaced: true }],
  ['VirtualService', { group: 'networking.istio.io', namespaced: true }],
  ['DestinationRule', { group: 'networking.istio.io', namespaced: true }],
  ['AuthorizationPolicy', { group: 'security.istio.io', namespaced: true }],
  ['RequestAuthentication', { group: 'security.istio.io', namespaced: true }],
  ['PeerAuthentication', { group: 'security.istio.io', namespaced: true }],
  ['Telemetry', { group: 'telemetry.istio.io', namespaced: true }],
  ['ServiceProfile', { group: 'linkerd.io', namespaced: true }],
  ['Server', { group: 'policy.linkerd.io', namespaced: true }],
  ['AuthorizationPolicy.policy.linkerd.io', { group: 'policy.linkerd.io', namespaced: true }],
  ['MeshTLSAuthentication', { group: 'policy.linkerd.io', namespaced: true }],
  ['NetworkAuthentication', { group: 'policy.linkerd.io', namespaced: true }],
  ['ServerAuthorization', { group: 'policy.linkerd.io', namespaced: true }],
  ['HTTPLocalRateLimitPolicy', { group: 'policy.linkerd.io', namespaced: true }],
  ['ServiceRouter', { group: 'consul.hashicorp.com', namespaced: true }],
  ['ServiceSplitter', { group: 'consul.hashicorp.com', namespaced: true }],
  ['ServiceResolver', { group: 'consul.hashicorp.com', namespaced: true }],
  ['ServiceIntentions', { group: 'consul.hashicorp.com', namespaced: true }],
  ['JWTProvider', { group: 'consul.hashicorp.com', namespaced: true }],
]);
