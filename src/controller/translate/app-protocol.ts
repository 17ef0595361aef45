import type { AppProtocol } from '#shared/workload/workload.ts';

const BY_NAME: ReadonlyMap<string, AppProtocol> = new Map([
  ['http', 'http11'],
  ['http2', 'http2'],
  ['grpc', 'grpc'],
  ['tcp', 'tcp'],
  ['tls', 'tls'],
  ['https', 'tls'],
  // Named as Istio has them: protocols a waypoint must not try to read as HTTP.
  ['mongo', 'tcp'],
  ['mysql', 'tcp'],
  ['redis', 'tcp'],
  ['kubernetes.io/h2c', 'http2'],
  ['kubernetes.io/ws', 'http11'],
  ['kubernetes.io/wss', 'tls'],
]);

/** From `appProtocol`, which decides when it is one we know, else the port's name: `http`, `grpc-api`, … */
export function appProtocol(declared: string | undefined, portName: string | undefined): AppProtocol {
  const byField = declared === undefined ? undefined : BY_NAME.get(declared.toLowerCase());
  if (byField !== undefined) return byField;
  const [prefix = ''] = (portName ?? '').toLowerCase().split('-', 1);
  // A bare `kubernetes.io/…` cannot be a port's name.
  return BY_NAME.get(prefix) ?? 'unknown';
}
