import type { TrustedRoots } from '#shared/route/traffic-policy.ts';
import type { BackendTlsPolicy } from '../translate/backend-tls-policy/backend-tls-policy.ts';
import type { CaReference } from '../translate/backend-tls-policy/authorities.ts';
import { TLS_CREDENTIAL } from '../translate/mesh-labels.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Entry } from './parsed-kind.ts';

/** Whom a BackendTLSPolicy trusts, and which of its references lead nowhere. */
export interface ResolvedAuthorities {
  readonly roots: TrustedRoots;
  readonly faults: readonly AuthorityFault[];
  /** None of its references is valid, whatever an earlier version of what they name still stands in for. */
  readonly noneValid: boolean;
}

/** In the words of the condition ResolvedRefs. */
export interface AuthorityFault {
  readonly reason: 'InvalidCACertificateRef' | 'InvalidKind';
  readonly message: string;
}

/** What one reference brings, and what is wrong with it: an object that went bad brings what it held before. */
interface Resolved {
  readonly pem: string;
  readonly fault: AuthorityFault | undefined;
}

export function resolveAuthorities(
  objects: MeshObjects,
  namespace: string,
  { authorities }: Pick<BackendTlsPolicy, 'authorities'>,
): ResolvedAuthorities {
  if (authorities === undefined) return { roots: { kind: 'system' }, faults: [], noneValid: false };
  const [only] = authorities;
  if (only?.kind === 'Secret' && authorities.length === 1) return ofSecret(objects, namespace, only);
  const resolved = authorities.map(reference => resolve(objects, namespace, reference));
  const faults = resolved.flatMap(({ fault }) => fault ?? []);
  const pem = resolved.flatMap(one => (one.pem === '' ? [] : [one.pem])).join('\n');
  const reason = faults.map(({ message }) => message).join('; ');
  return {
    roots: pem === '' ? { kind: 'unresolved', reason } : { kind: 'pem', pem },
    faults,
    noneValid: faults.length === authorities.length,
  };
}

function resolve(objects: MeshObjects, namespace: string, reference: CaReference): Resolved {
  const { kind, name, shown } = reference;
  switch (kind) {
    case 'ConfigMap': {
      const entry = objects.caBundles.entry(namespace, name);
      const missing = `there is no ConfigMap ${namespace}/${name} that the controller may read`;
      return { pem: entry?.good?.value ?? '', fault: faultOf(entry, missing) };
    }
    // What a Secret holds travels apart, to the waypoints alone that need it, and is named by one.
    case 'Secret':
      return refused(`${shown}: authorities of a Secret are used where it is the only reference`);
    case 'other':
      return refused(`${shown} is of a kind that is not read: name a ConfigMap, or a Secret`);
  }
}

function refused(message: string): Resolved {
  return { pem: '', fault: { reason: 'InvalidKind', message } };
}

/** Waypoints get it, once it is there, whatever is said here. */
function ofSecret(objects: MeshObjects, namespace: string, { name }: CaReference): ResolvedAuthorities {
  const shown = `Secret ${namespace}/${name}`;
  const entry = objects.secrets.entry(namespace, name);
  const held = entry?.good?.value;
  const missing = `there is no ${shown} with the label ${TLS_CREDENTIAL}: "true" that the controller may read`;
  const empty = `${shown} holds no authorities: put them into ca.crt`;
  const fault =
    held === undefined || held.trustedRootsPem !== ''
      ? faultOf(entry?.accepted === true && held === undefined ? undefined : entry, missing)
      : invalid(empty);
  return {
    roots: { kind: 'credential', name: `${namespace}/${name}` },
    faults: fault === undefined ? [] : [fault],
    noneValid: fault !== undefined,
  };
}

function faultOf(entry: Entry<unknown> | undefined, missing: string): AuthorityFault | undefined {
  if (entry === undefined) return invalid(missing);
  if (entry.accepted) return undefined;
  const { kind, metadata } = entry.latest;
  const why = entry.diagnostics.map(({ field, message }) => `${field}: ${message}`).join('; ');
  const kept = entry.good === undefined ? '' : '; what it held before is in use';
  return invalid(`${kind} ${metadata.namespace}/${metadata.name}: ${why}${kept}`);
}

function invalid(message: string): AuthorityFault {
  return { reason: 'InvalidCACertificateRef', message };
}
