import { objectMeta, objectName } from '#shared/capture/kube-object.ts';
import { child, children } from '#shared/config/json-fields.ts';
import { sidecarOf } from '#shared/capture/sidecar.ts';
import type { JsonObject } from '#shared/config/json.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import { probePorts } from './probe-ports.ts';
import type { ParsedObject } from './watched-set.ts';

/** Written by the node agent alone: how capture of the pod stands. */
export const REDIRECTION_ANNOTATION = 'ambient.istio.io/redirection';
const BYPASS_INBOUND_ANNOTATION = 'ambient.istio.io/bypass-inbound-capture';
const DNS_CAPTURE_ANNOTATION = 'ambient.istio.io/dns-capture';
/** Of a pod that was started from a file of its node: the uid that the container runtime knows it by. */
const STATIC_POD_ANNOTATION = 'kubernetes.io/config.hash';

/** What a node agent needs of a Pod. */
export interface KubePod {
  readonly uid: string;
  /** Uid in the node's cgroups and CNI calls; another than `uid` for static pods. */
  readonly runtimeUid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Canonical; empty until the kubelet has told. */
  readonly ips: readonly string[];
  readonly hostNetwork: boolean;
  readonly phase: 'pending' | 'running' | 'ended';
  /** Its deletion has begun; it may take its grace period. */
  readonly isTerminating: boolean;
  readonly sidecar: string | undefined;
  readonly bypassInbound: boolean;
  /** Undefined: the pod says nothing, or nothing that means either. */
  readonly dnsCapture: boolean | undefined;
  readonly probePorts: readonly number[];
  /** The annotation as the API server has it. */
  readonly redirection: string | undefined;
}

export function parseKubePod(object: JsonObject): ParsedObject<KubePod> {
  try {
    return { ok: true, value: kubePod(object) };
  } catch (cause) {
    return { ok: false, error: errorMessage(cause) };
  }
}

function kubePod(object: JsonObject): KubePod {
  const { name, namespace, uid, labels, annotations } = objectMeta(object);
  if (namespace === '') throw new Error('metadata.namespace is missing');
  const spec = child(object, 'spec');
  return {
    uid,
    runtimeUid: annotations[STATIC_POD_ANNOTATION] ?? uid,
    name,
    namespace,
    serviceAccount: objectName(spec['serviceAccountName'] ?? 'default', 'spec.serviceAccountName'),
    labels,
    ips: addresses(child(object, 'status')),
    hostNetwork: spec['hostNetwork'] === true,
    phase: phaseOf(child(object, 'status')['phase']),
    isTerminating: child(object, 'metadata')['deletionTimestamp'] !== undefined,
    sidecar: sidecarOf(spec),
    bypassInbound: annotations[BYPASS_INBOUND_ANNOTATION] === 'true',
    dnsCapture: FLAGS.get(annotations[DNS_CAPTURE_ANNOTATION] ?? ''),
    probePorts: probePorts(spec),
    redirection: annotations[REDIRECTION_ANNOTATION],
  };
}

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

function phaseOf(phase: unknown): KubePod['phase'] {
  if (phase === 'Succeeded' || phase === 'Failed') return 'ended';
  return phase === 'Pending' || phase === undefined ? 'pending' : 'running';
}

function addresses(status: JsonObject): string[] {
  const found = children(status, 'podIPs').map(entry => entry['ip']);
  return (found.length > 0 ? found : [status['podIP']]).flatMap(ip => {
    const canonical = typeof ip === 'string' ? canonicalIp(ip) : undefined;
    return canonical === undefined ? [] : [canonical];
  });
}
