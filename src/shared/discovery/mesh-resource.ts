import { type AuthorizationPolicy, policyName } from '../authz/policy.ts';
import type { ServiceRoutes } from '../route/model.ts';
import type { TlsCredential } from '../route/tls-credential.ts';
import { EMPTY_DELTA, type MeshDelta } from '../workload/mesh-view.ts';
import { type Service, serviceName, type Workload } from '../workload/workload.ts';
import { authorizationFromWire, authorizationToWire } from './authorization-wire.ts';
import { MessageError, messageCodec } from './messages.ts';
import { serviceRoutesFromWire, serviceRoutesToWire } from './service-routes-wire.ts';
import { tlsCredentialFromWire, tlsCredentialToWire } from './tls-credential-wire.ts';
import { serviceFromWire, serviceToWire } from './service-wire.ts';
import {
  type TrustAnnouncement,
  trustAnnouncementFromWire,
  trustAnnouncementToWire,
} from './trust-bundle-wire.ts';
import { InvalidField, readMessage } from './wire-fields.ts';
import { workloadFromWire, workloadToWire } from './workload-wire.ts';

/** One resource of discovery in internal types. */
export type MeshResource =
  | { readonly kind: 'workload'; readonly workload: Workload }
  | { readonly kind: 'service'; readonly service: Service }
  | { readonly kind: 'policy'; readonly policy: AuthorizationPolicy }
  | { readonly kind: 'routes'; readonly routes: ServiceRoutes }
  | { readonly kind: 'trust'; readonly trust: TrustAnnouncement }
  | {
      readonly kind: 'credential';
      readonly credential: TlsCredential;
      /** SPIFFE ids of those who may hold it. It is not sent: a receiver has an empty list. */
      readonly audience: readonly string[];
    };

export const ADDRESS_TYPE = 'type.googleapis.com/istio.workload.Address';
export const AUTHORIZATION_TYPE = 'type.googleapis.com/istio.security.Authorization';
export const SERVICE_ROUTES_TYPE = 'type.googleapis.com/ambient.mesh.v1.ServiceRoutes';

export const TRUST_BUNDLE_TYPE = 'type.googleapis.com/ambient.mesh.v1.TrustBundle';

/** Private keys: of those who hold one each is in the resource's audience. */
export const TLS_CREDENTIAL_TYPE = 'type.googleapis.com/ambient.mesh.v1.TlsCredential';

export const RESOURCE_TYPES = [
  ADDRESS_TYPE,
  AUTHORIZATION_TYPE,
  SERVICE_ROUTES_TYPE,
  TRUST_BUNDLE_TYPE,
  TLS_CREDENTIAL_TYPE,
] as const;
export type ResourceType = (typeof RESOURCE_TYPES)[number];

/** Names travel in maps, logs and metrics. */
const MAX_NAME_LENGTH = 1024;

const addressCodec = messageCodec('istio.workload.Address');
const authorizationCodec = messageCodec('istio.security.Authorization');
const routesCodec = messageCodec('ambient.mesh.v1.ServiceRoutes');
const credentialCodec = messageCodec('ambient.mesh.v1.TlsCredential');
const trustCodec = messageCodec('ambient.mesh.v1.TrustBundle');

export function parseResourceType(typeUrl: string): ResourceType | undefined {
  return RESOURCE_TYPES.find(type => type === typeUrl);
}

export function resourceType(resource: MeshResource): ResourceType {
  switch (resource.kind) {
    case 'workload':
    case 'service':
      return ADDRESS_TYPE;
    case 'policy':
      return AUTHORIZATION_TYPE;
    case 'routes':
      return SERVICE_ROUTES_TYPE;
    case 'trust':
      return TRUST_BUNDLE_TYPE;
    case 'credential':
      return TLS_CREDENTIAL_TYPE;
  }
}

/** The resource's name on the wire. */
export function resourceName(resource: MeshResource): string {
  switch (resource.kind) {
    case 'workload':
      return resource.workload.uid;
    case 'service':
      return serviceName(resource.service);
    case 'policy':
      return policyName(resource.policy);
    case 'routes':
      return serviceName(resource.routes);
    case 'trust':
      return resource.trust.trustDomain;
    case 'credential':
      return resource.credential.name;
  }
}

/** Names other than its own under which an on-demand client may ask for it: `<network>/<ip>`. */
export function resourceAliases(resource: MeshResource): readonly string[] {
  switch (resource.kind) {
    case 'workload': {
      const { addresses, network, networkMode } = resource.workload;
      // Host-network workloads share their node's address, which would name several of them.
      return networkMode === 'host_network' ? [] : addresses.map(ip => `${network}/${ip}`);
    }
    case 'service':
      return resource.service.addresses.map(a => `${a.network}/${a.ip}`);
    case 'policy':
    case 'routes':
    case 'trust':
    case 'credential':
      return [];
  }
}

/** Equal resources have equal bytes, so that a hash of them is a version. */
export function encodeResource(resource: MeshResource): Buffer {
  switch (resource.kind) {
    case 'workload':
      return addressCodec.encode({ workload: workloadToWire(resource.workload) });
    case 'service':
      return addressCodec.encode({ service: serviceToWire(resource.service) });
    case 'policy':
      return authorizationCodec.encode(authorizationToWire(resource.policy));
    case 'routes':
      return routesCodec.encode(serviceRoutesToWire(resource.routes));
    case 'trust':
      return trustCodec.encode(trustAnnouncementToWire(resource.trust));
    case 'credential':
      return credentialCodec.encode(tlsCredentialToWire(resource.credential));
  }
}

export type DecodedResource =
  | { readonly ok: true; readonly resource: MeshResource }
  | { readonly ok: false; readonly reason: string };

/** Validates one resource. A bad one costs only itself: the reason goes into the NACK, the last good one stays. */
export function decodeResource(type: ResourceType, name: string, value: Uint8Array): DecodedResource {
  try {
    const resource = parseResource(type, value);
    const own = resourceName(resource);
    if (own !== name)
      return { ok: false, reason: `is named ${JSON.stringify(name)} but holds ${JSON.stringify(own)}` };
    if (own.length > MAX_NAME_LENGTH) return { ok: false, reason: `name is longer than ${MAX_NAME_LENGTH}` };
    return { ok: true, resource };
  } catch (error) {
    if (error instanceof MessageError || error instanceof InvalidField)
      return { ok: false, reason: error.message };
    throw error;
  }
}

/** Of the mesh's configuration; the others are between the controller and one receiver, and nothing waits for them. */
export function isMeshType(type: ResourceType): boolean {
  return type !== TRUST_BUNDLE_TYPE && type !== TLS_CREDENTIAL_TYPE;
}

/** Removals name only the resource; a workload's uid has more than one slash, a service's name exactly one. */
export function toMeshDelta(
  type: ResourceType,
  resources: readonly MeshResource[],
  removed: readonly string[],
): MeshDelta {
  switch (type) {
    case ADDRESS_TYPE:
      return {
        ...EMPTY_DELTA,
        workloads: resources.flatMap(r => (r.kind === 'workload' ? [r.workload] : [])),
        services: resources.flatMap(r => (r.kind === 'service' ? [r.service] : [])),
        removedWorkloads: removed.filter(name => !isServiceName(name)),
        removedServices: removed.filter(isServiceName),
      };
    case AUTHORIZATION_TYPE:
      return {
        ...EMPTY_DELTA,
        policies: resources.flatMap(r => (r.kind === 'policy' ? [r.policy] : [])),
        removedPolicies: removed,
      };
    case SERVICE_ROUTES_TYPE:
      return {
        ...EMPTY_DELTA,
        routes: resources.flatMap(r => (r.kind === 'routes' ? [r.routes] : [])),
        removedRoutes: removed,
      };
    // Not of the mesh: they go to whom they are for (`DiscoveryListener.onTrust`, `onCredential`).
    case TRUST_BUNDLE_TYPE:
    case TLS_CREDENTIAL_TYPE:
      return EMPTY_DELTA;
  }
}

function parseResource(type: ResourceType, value: Uint8Array): MeshResource {
  switch (type) {
    case ADDRESS_TYPE: {
      const address = addressCodec.decode(value);
      const workload = readMessage(address, 'workload');
      if (workload !== undefined) return { kind: 'workload', workload: workloadFromWire(workload) };
      const service = readMessage(address, 'service');
      if (service !== undefined) return { kind: 'service', service: serviceFromWire(service) };
      throw new InvalidField('type', 'is neither workload nor service');
    }
    case AUTHORIZATION_TYPE:
      return { kind: 'policy', policy: authorizationFromWire(authorizationCodec.decode(value)) };
    case SERVICE_ROUTES_TYPE:
      return { kind: 'routes', routes: serviceRoutesFromWire(routesCodec.decode(value)) };
    case TRUST_BUNDLE_TYPE:
      return { kind: 'trust', trust: trustAnnouncementFromWire(trustCodec.decode(value)) };
    case TLS_CREDENTIAL_TYPE: {
      const credential = tlsCredentialFromWire(credentialCodec.decode(value));
      return { kind: 'credential', credential, audience: [] };
    }
  }
}

function isServiceName(name: string): boolean {
  const slash = name.indexOf('/');
  return slash > 0 && name.indexOf('/', slash + 1) < 0;
}
