import type { TlsOrigination, TrustedRoots } from '#shared/route/traffic-policy.ts';
import { keyOf } from '../source/kube-object.ts';
import type { BackendTlsPolicy } from '../translate/backend-tls-policy/backend-tls-policy.ts';
import { type BackendTlsTarget, looseTargets } from '../translate/backend-tls-policy/targets.ts';
import { whyRejected } from '../translate/diagnostic.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import { resolveAuthorities } from './ca-authorities.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Entry } from './parsed-kind.ts';

/** What holds for a service or one of its ports, and the key of the BackendTLSPolicy that says so. */
export interface HeldTls {
  readonly policy: string;
  readonly tls: TlsOrigination;
}

/** BackendTLSPolicies of one service. That of a port goes before that of the whole. */
export interface ServiceTls {
  readonly whole: HeldTls | undefined;
  readonly ports: ReadonlyMap<number, HeldTls>;
}

/** Whether a policy holds for one of its targets, in the words of the condition Accepted. */
export interface TargetOutcome {
  readonly target: BackendTlsTarget;
  /** `<namespace>/<hostname>`; undefined: there is none. */
  readonly service: string | undefined;
  readonly fault: TargetFault | undefined;
}

export interface TargetFault {
  readonly reason: 'TargetNotFound' | 'Conflicted';
  readonly message: string;
  readonly fix: string;
}

export interface BackendTls {
  /** By `<namespace>/<hostname>`. */
  readonly services: ReadonlyMap<string, ServiceTls>;
  /** By the key of the policy. */
  readonly outcomes: ReadonlyMap<string, readonly TargetOutcome[]>;
}

type MadeServiceTls = { whole: HeldTls | undefined; readonly ports: Map<number, HeldTls> };

/**
 * Of several policies for one Service, or for one port of it, the oldest holds, then the first by name. One that was never good
 * is no rival to others, and holds nevertheless where there is none: who asks for TLS does not get plaintext.
 */
export function backendTls(objects: MeshObjects): BackendTls {
  const services = new Map<string, MadeServiceTls>();
  const outcomes = new Map<string, readonly TargetOutcome[]>();
  const entries = [...objects.backendTlsPolicies.entries()].sort((a, b) => (rankOf(a) < rankOf(b) ? -1 : 1));
  for (const entry of entries) {
    const { object, value } = entry.good ?? { object: entry.latest, value: undefined };
    const { namespace } = object.metadata;
    const roots: TrustedRoots =
      value === undefined ? nobody(entry) : resolveAuthorities(objects, namespace, value).roots;
    const held = { policy: keyOf(object), tls: tlsOf(value, roots) };
    const targets = value?.targets ?? looseTargets(object);
    outcomes.set(
      held.policy,
      targets.map(target => attach(objects, services, namespace, target, held)),
    );
  }
  return { services, outcomes };
}

function rankOf({ good, latest }: Entry<BackendTlsPolicy>): string {
  const { creationTimestamp, name } = latest.metadata;
  return `${good === undefined ? 1 : 0} ${creationTimestamp} ${name}`;
}

function nobody({ diagnostics, latest }: Entry<BackendTlsPolicy>): TrustedRoots {
  return { kind: 'unresolved', reason: whyRejected(latest, diagnostics) };
}

function tlsOf(policy: BackendTlsPolicy | undefined, trustedRoots: TrustedRoots): TlsOrigination {
  return {
    mode: 'simple',
    serverName: policy?.hostname,
    subjectAltNames: policy?.subjectAltNames ?? [],
    trustedRoots,
    clientCertificate: undefined,
    credential: undefined,
    revocationListFile: undefined,
    skipVerification: false,
    alpn: [],
    // The policy says that servers speak TLS: a client that does so itself has what it asks for.
    passesClientTls: true,
  };
}

function attach(
  objects: MeshObjects,
  services: Map<string, MadeServiceTls>,
  namespace: string,
  target: BackendTlsTarget,
  held: HeldTls,
): TargetOutcome {
  const { name, sectionName } = target;
  const shown = `Service ${namespace}/${name}`;
  const spec = objects.services.get(namespace, name)?.value;
  if (spec === undefined) {
    const message = `there is no ${shown}`;
    const fix = 'create it or correct the name; a policy is for Services of its own namespace';
    return { target, service: undefined, fault: { reason: 'TargetNotFound', message, fix } };
  }
  const service = `${namespace}/${spec.hostname}`;
  const port = spec.ports.find(one => one.name === sectionName)?.port;
  if (sectionName !== undefined && port === undefined) {
    const message = `${shown} has no port of the name ${sectionName}`;
    return { target, service, fault: { reason: 'TargetNotFound', message, fix: portNames(spec) } };
  }
  const made = services.get(service) ?? { whole: undefined, ports: new Map<number, HeldTls>() };
  services.set(service, made);
  const holder = sectionName === undefined ? made.whole : made.ports.get(port ?? 0);
  if (holder !== undefined) {
    const where = sectionName === undefined ? shown : `port ${sectionName} of ${shown}`;
    const message = `BackendTLSPolicy ${holder.policy.split('/')[2]} is for ${where} too, and goes before`;
    return { target, service, fault: { reason: 'Conflicted', message, fix: 'keep one of them' } };
  }
  if (sectionName === undefined) made.whole = held;
  else made.ports.set(port ?? 0, held);
  return { target, service, fault: undefined };
}

function portNames({ ports }: ServiceSpec): string {
  const names = ports.map(({ name }) => name).filter(name => name !== '');
  return names.length === 0 ? 'give the port a name' : `use one of ${names.join(', ')}`;
}
