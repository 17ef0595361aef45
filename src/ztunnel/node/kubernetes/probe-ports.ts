import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { child, children } from '#shared/config/json-fields.ts';

/** What the kubelet does over the network to a container: probes and the two lifecycle hooks. */
const HANDLERS = [
  ['livenessProbe'],
  ['readinessProbe'],
  ['startupProbe'],
  ['lifecycle', 'postStart'],
  ['lifecycle', 'preStop'],
] as const;
const KINDS = ['httpGet', 'tcpSocket', 'grpc'];

/**
 * TCP ports of a pod that the kubelet dials, ascending: only to these does the node's address reach past the proxy, so
 * that what comes from elsewhere through the node is not let in with it.
 */
export function probePorts(spec: JsonObject): number[] {
  const ports = new Set<number>();
  for (const container of [...children(spec, 'containers'), ...children(spec, 'initContainers')]) {
    for (const path of HANDLERS) {
      const handler = path.reduce<JsonObject>(child, container);
      for (const kind of KINDS) {
        const action = handler[kind];
        const port = isJsonObject(action) ? portOf(container, action['port']) : undefined;
        if (port !== undefined) ports.add(port);
      }
    }
  }
  return [...ports].sort((a, b) => a - b);
}

/** A number, or the name of a port of the same container. */
function portOf(container: JsonObject, port: unknown): number | undefined {
  if (typeof port !== 'string') return isPort(port) ? port : undefined;
  const number = /^\d{1,5}$/.test(port) ? Number(port) : named(container, port);
  return isPort(number) ? number : undefined;
}

function named(container: JsonObject, name: string): unknown {
  return children(container, 'ports').find(port => port['name'] === name)?.['containerPort'];
}

function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536;
}
