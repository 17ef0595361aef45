import {
  ACCESS_POLICIES,
  type AccessPolicy,
  withIdentity,
} from '../translate/linkerd-policy/access-policy.ts';
import { isExternalWorkload } from '../translate/external-workload/external-workload.ts';
import { INBOUND_POLICY, REQUIRE_IDENTITY } from '../translate/mesh-labels.ts';
import { readOpaquePorts } from '../translate/opaque-ports.ts';
import type { WorkloadSpec } from '../translate/pod-to-workload/workload-spec.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** Who may come to ports that no Server selects. */
export interface InboundAccess {
  /** Undefined: nothing is said, and everybody may. */
  readonly access: AccessPolicy | undefined;
  /** Ports where an identity is asked for besides. */
  readonly identityPorts: ReadonlySet<number>;
}

/** What a proxy is given as a list of ports; of more it is asked for at every port. */
const MAX_IDENTITY_PORTS = 1024;
const NONE: ReadonlySet<number> = new Set();
export const NOTHING_SAID: InboundAccess = { access: undefined, identityPorts: NONE };

/**
 * By Linkerd's annotations of the pod or ExternalWorkload, else of its namespace. What is none of the values they can have is taken for the strictest: it
 * may be one that refuses, misspelt.
 */
export function inboundAccess(objects: MeshObjects, spec: WorkloadSpec): InboundAccess {
  const kind = isExternalWorkload(spec) ? objects.linkerd.externalWorkloads : objects.pods;
  const workload = kind.get(spec.namespace, spec.name);
  const own = workload?.value?.uid === spec.uid ? workload.object.metadata.annotations : undefined;
  const { annotations } = objects.namespaceMeta(spec.namespace);
  const written = (key: string): string | undefined => own?.[key] ?? annotations[key];
  const [policy, ports] = [written(INBOUND_POLICY), written(REQUIRE_IDENTITY)];
  if (policy === undefined && ports === undefined) return NOTHING_SAID;
  const access = policy === undefined ? undefined : (knownAccess(policy) ?? 'deny');
  const identityPorts = ports === undefined ? NONE : portsOf(ports, spec);
  return identityPorts === 'all'
    ? { access: withIdentity(access), identityPorts: NONE }
    : { access, identityPorts };
}

export function accessTo(port: number, { access, identityPorts }: InboundAccess): AccessPolicy | undefined {
  return identityPorts.has(port) ? withIdentity(access) : access;
}

export function knownAccess(text: string): AccessPolicy | undefined {
  return ACCESS_POLICIES.find(access => access === text);
}

function portsOf(list: string, { namedPorts }: WorkloadSpec): ReadonlySet<number> | 'all' {
  const { ports, wrong } = readOpaquePorts(list.split(','));
  if (wrong.length > 0) return 'all';
  const found = new Set<number>();
  for (const port of ports) {
    const named = port.kind === 'name' ? namedPorts.get(port.name) : undefined;
    const [from, to] = port.kind === 'numbers' ? [port.from, port.to] : [named ?? 1, named ?? 0];
    if (to - from >= MAX_IDENTITY_PORTS) return 'all';
    for (let number = from; number <= to; number++) found.add(number);
  }
  return found.size > MAX_IDENTITY_PORTS ? 'all' : found;
}
