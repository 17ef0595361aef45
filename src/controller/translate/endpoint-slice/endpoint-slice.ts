import { canonicalIp } from '#shared/workload/ip.ts';
import type { JsonObject } from '#shared/config/json.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { numberAt, objectAt, objectsAt, textAt, textsAt } from '../loose-fields.ts';
import { SERVICE_NAME } from '../mesh-labels.ts';
import { dnsLabel } from '../pod-to-workload/dns-label.ts';

/** The endpoints of a Service without selector, whoever wrote them. */
export interface SliceSpec {
  readonly name: string;
  readonly namespace: string;
  /** Name of the Service. */
  readonly service: string;
  /** By the name of the Service's port. */
  readonly ports: ReadonlyMap<string, number>;
  readonly endpoints: readonly SliceEndpoint[];
}

export interface SliceEndpoint {
  /** Canonical text. */
  readonly address: string;
  /** Set when the address is a pod's: then the pod itself is the workload. */
  readonly pod: string | undefined;
  /** What it is called, as the first label of a name; undefined: nothing. */
  readonly hostname: string | undefined;
  readonly ready: boolean;
  readonly node: string;
  readonly zone: string;
}

/** Undefined for a slice of no Service, or of names instead of addresses. */
export function readEndpointSlice(object: KubeObject): Translated<SliceSpec | undefined> {
  const diagnostics = new Diagnostics(object);
  const body = objectAt(object.body);
  const service = object.metadata.labels[SERVICE_NAME];
  if (service === undefined || textAt(body, 'addressType') === 'FQDN') return diagnostics.conclude(undefined);
  const { name, namespace } = object.metadata;
  return diagnostics.conclude({
    name,
    namespace,
    service,
    ports: readPorts(body, diagnostics),
    endpoints: objectsAt(body, 'endpoints').flatMap((e, i) =>
      readEndpoint(e, `endpoints[${i}]`, diagnostics),
    ),
  });
}

function readPorts(body: JsonObject, diagnostics: Diagnostics): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  for (const [i, port] of objectsAt(body, 'ports').entries()) {
    if ((textAt(port, 'protocol') ?? 'TCP') !== 'TCP') continue;
    const number = numberAt(port, 'port');
    if (number === undefined || !Number.isInteger(number) || number < 1 || number > 65_535) {
      diagnostics.reject(
        `ports[${i}].port`,
        port['port'],
        'is not a port',
        'use a whole number from 1 to 65535',
      );
    } else ports.set(textAt(port, 'name') ?? '', number);
  }
  return ports;
}

/** An endpoint that terminates takes no new connections, whatever else it says. */
function readEndpoint(endpoint: JsonObject, at: string, diagnostics: Diagnostics): readonly SliceEndpoint[] {
  const conditions = objectAt(endpoint, 'conditions');
  const ready = conditions['ready'] !== false && conditions['terminating'] !== true;
  const target = objectAt(endpoint, 'targetRef');
  const pod = textAt(target, 'kind') === 'Pod' ? textAt(target, 'name') : undefined;
  const hostname = dnsLabel(endpoint, 'hostname', `${at}.hostname`, diagnostics);
  const node = textAt(endpoint, 'nodeName') ?? '';
  return textsAt(endpoint, 'addresses').flatMap((text, i) => {
    const address = canonicalIp(text);
    if (address === undefined) {
      diagnostics.reject(`${at}.addresses[${i}]`, text, 'is no IP address', 'use an IPv4 or IPv6 address');
      return [];
    }
    return [{ address, pod, hostname, ready, node, zone: textAt(endpoint, 'zone') ?? '' }];
  });
}
