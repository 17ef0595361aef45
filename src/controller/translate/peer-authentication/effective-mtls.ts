import { STATIC_POLICY_PREFIX } from '#shared/authz/decision.ts';
import { EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { AuthorizationPolicy, Match, StringMatch } from '#shared/authz/policy.ts';
import type { MtlsMode, PeerAuthentication } from './peer-authentication.ts';

export interface MtlsWorkload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What holds for one workload. */
export interface EffectiveMtls {
  readonly mode: 'permissive' | 'strict';
  /** Ports with another mode than `mode`. */
  readonly exceptions: readonly number[];
  /** The one with a selector that holds; undefined when none does. */
  readonly decidedBy: PeerAuthentication | undefined;
}

/**
 * The mode of a workload: of the PeerAuthentication that selects it, else of its namespace, else of the mesh, else
 * PERMISSIVE. Of several on one level the oldest holds, as in Istio.
 */
export function effectiveMtls(
  workload: MtlsWorkload,
  all: readonly PeerAuthentication[],
  rootNamespace: string,
): EffectiveMtls {
  const own = oldest(all.filter(one => selectsWorkload(one, workload)));
  const ofNamespace = oldest(
    all.filter(one => one.selects === undefined && one.namespace === workload.namespace),
  );
  const ofMesh = oldest(all.filter(one => one.selects === undefined && one.namespace === rootNamespace));
  const inherited = resolve(ofNamespace?.mode, resolve(ofMesh?.mode, 'permissive'));
  const mode = resolve(own?.mode, inherited);
  const ports = [...(own?.portModes ?? [])];
  const exceptions = ports.filter(([, portMode]) => resolve(portMode, mode) !== mode).map(([port]) => port);
  return { mode, exceptions: exceptions.sort((a, b) => a - b), decidedBy: own };
}

function resolve(mode: MtlsMode | undefined, above: 'permissive' | 'strict'): 'permissive' | 'strict' {
  return mode === undefined || mode === 'unset' ? above : mode;
}

function selectsWorkload(one: PeerAuthentication, workload: MtlsWorkload): boolean {
  if (one.selects === undefined || one.namespace !== workload.namespace) return false;
  return [...one.selects].every(([name, value]) => workload.labels[name] === value);
}

function oldest(list: readonly PeerAuthentication[]): PeerAuthentication | undefined {
  const key = (one: PeerAuthentication): string => `${one.creationTimestamp} ${one.name}`;
  return list.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))[0];
}

const ANYONE: readonly StringMatch[] = [{ kind: 'presence' }];

/**
 * The policy a workload needs so that its ztunnel holds the mode: it denies traffic without principal. One policy serves
 * all workloads it is named for; name it in their `authorizationPolicies`. Undefined where nothing is denied.
 */
export function mtlsPolicy(effective: EffectiveMtls, rootNamespace: string): AuthorizationPolicy | undefined {
  const { mode, exceptions, decidedBy } = effective;
  if (mode === 'permissive' && exceptions.length === 0) return undefined;
  const strict: Match = { ...EMPTY_MATCH, notPrincipals: ANYONE };
  const match =
    mode === 'strict'
      ? { ...strict, notDestinationPorts: exceptions }
      : { ...strict, destinationPorts: exceptions };
  const special = exceptions.length > 0 && decidedBy !== undefined;
  // No object's name holds an underscore, so these names meet no other.
  return {
    name: `${STATIC_POLICY_PREFIX}${special ? `selector_${decidedBy.name}` : 'strict'}`,
    namespace: special ? decidedBy.namespace : rootNamespace,
    scope: 'workload_selector',
    action: 'deny',
    rules: [{ clauses: [{ matches: [match] }] }],
    dryRun: false,
    provider: undefined,
  };
}
