import type { AppProtocol } from '#shared/workload/workload.ts';

export type DownstreamProtocol = 'http1' | 'http2' | 'tcp';

/** What a port's declaration leaves to find out. `tcp`: nothing is looked at. */
export type DetectionMode = 'tcp' | 'http' | 'any';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** Enough to tell a request of HTTP/1 from anything else: the longest method below and a blank. */
const METHODS = ['GET ', 'HEAD ', 'POST ', 'PUT ', 'DELETE ', 'CONNECT ', 'OPTIONS ', 'TRACE ', 'PATCH '];

/** @param passesClientTls what the port declares as TLS may come as plaintext, which the waypoint encrypts */
export function detectionMode(declared: AppProtocol, passesClientTls: boolean): DetectionMode {
  switch (declared) {
    case 'tcp':
      return 'tcp';
    case 'tls':
      return passesClientTls ? 'any' : 'tcp';
    case 'http11':
    case 'http2':
    case 'grpc':
      return 'http';
    case 'unknown':
      return 'any';
  }
}

/**
 * The protocol the first bytes speak, or undefined while they may still become either. With `http` whatever is not the
 * preface of HTTP/2 is left to the strict codec of HTTP/1.1 to refuse; with `any` it is plain TCP.
 */
export function sniffProtocol(
  first: Buffer,
  mode: Exclude<DetectionMode, 'tcp'>,
): DownstreamProtocol | undefined {
  const text = first.toString('latin1', 0, PREFACE.length);
  if (text === '') return undefined;
  if (text.startsWith(PREFACE)) return 'http2';
  if (PREFACE.startsWith(text)) return undefined;
  if (mode === 'http') return 'http1';
  for (const method of METHODS) {
    if (text.startsWith(method)) return 'http1';
    if (method.startsWith(text)) return undefined;
  }
  return 'tcp';
}
