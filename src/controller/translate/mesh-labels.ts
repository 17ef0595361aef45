/** Labels and annotations that users of ambient meshes know. */
export const USE_WAYPOINT = 'istio.io/use-waypoint';
export const USE_WAYPOINT_NAMESPACE = 'istio.io/use-waypoint-namespace';
/** On Services, ServiceEntries and namespaces: a second waypoint, and (an annotation) how many of 100 connections it gets. */
export const USE_WAYPOINT_CANARY = 'istio.io/use-waypoint-canary';
export const USE_WAYPOINT_CANARY_NAMESPACE = 'istio.io/use-waypoint-canary-namespace';
export const USE_WAYPOINT_CANARY_WEIGHT = 'istio.io/use-waypoint-canary-weight';
export const WAYPOINT_FOR = 'istio.io/waypoint-for';
export const INGRESS_USE_WAYPOINT = 'istio.io/ingress-use-waypoint';
/** On the pods and the Service of a gateway: its Gateway's name. */
export const GATEWAY_NAME = 'gateway.networking.k8s.io/gateway-name';
/** `http`: the workload speaks HBONE itself. */
export const TUNNEL = 'networking.istio.io/tunnel';
/** Written by the node agent: the real state of capture. */
export const REDIRECTION = 'ambient.istio.io/redirection';
export const TRAFFIC_DISTRIBUTION = 'networking.istio.io/traffic-distribution';
export const NETWORK = 'topology.istio.io/network';
export const SUBZONE = 'topology.istio.io/subzone';
export const REGION = 'topology.kubernetes.io/region';
export const ZONE = 'topology.kubernetes.io/zone';
export const SERVICE_NAME = 'kubernetes.io/service-name';
export const CANONICAL_NAME = 'service.istio.io/canonical-name';
export const CANONICAL_REVISION = 'service.istio.io/canonical-revision';
export const WORKLOAD_NAME = 'service.istio.io/workload-name';
/** On a namespace, `true`: the controller makes a waypoint for it, and its services use it. */
export const AUTO_WAYPOINT = 'ambient.mesh/auto-waypoint';
/** On a Secret, `true`: DestinationRules of its namespace may name it as a credential, and the controller reads it. */
export const TLS_CREDENTIAL = 'ambient.mesh/tls-credential';
/** Annotation of a mirror pod: the API server takes a pod from a kubelet only with it, and nobody can take it off again. */
export const MIRROR_POD = 'kubernetes.io/config.mirror';
/** Linkerd's, on pods and namespaces: who may come to ports that no Server selects. */
export const INBOUND_POLICY = 'config.linkerd.io/default-inbound-policy';
/** Linkerd's, likewise: of which of those ports only clients with an identity may come. */
export const REQUIRE_IDENTITY = 'config.linkerd.io/proxy-require-identity-inbound-ports';
/** On a namespace or pod: `ambient` or `none`. */
export const DATAPLANE_MODE = 'istio.io/dataplane-mode';
/** Annotation of a route or Service: its requests are hedged. */
export const HEDGE = 'ambient.mesh/hedge';
/** Annotation of a route or Service: how many of its requests are let through, as YAML. */
export const RATE_LIMIT = 'ambient.mesh/rate-limit';
/** Annotation of a Service: how its endpoints are chosen from. */
export const LOAD_BALANCER = 'ambient.mesh/load-balancer';
