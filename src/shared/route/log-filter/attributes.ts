import { getHeader } from '../../http/headers.ts';
import { flagBits } from './flag-bits.ts';
import type { LogSubject, Term, Value, ValueType } from './term.ts';

type ReadRequest = (request: NonNullable<LogSubject['request']>, subject: LogSubject) => Value | undefined;

/** Envoy's attributes, as far as the access log knows them, by their names. */
export const ATTRIBUTES: ReadonlyMap<string, Term> = new Map([
  ofRequest('request.method', 'string', request => request.method),
  ofRequest('request.path', 'string', request => request.path),
  ofRequest('request.url_path', 'string', request => request.path.split('?', 1)[0]),
  ofRequest('request.host', 'string', request => request.authority),
  ofRequest('request.scheme', 'string', request => request.scheme),
  ofRequest('request.protocol', 'string', request => request.protocol),
  ofRequest('request.id', 'string', request => getHeader(request.headers, 'x-request-id')),
  ofRequest('request.useragent', 'string', request => getHeader(request.headers, 'user-agent')),
  ofRequest('request.referer', 'string', request => getHeader(request.headers, 'referer')),
  ofRequest('request.size', 'int', (_, { requestBytes }) => requestBytes),
  ofRequest('request.duration', 'duration', (_, { durationMs }) => durationMs),
  attribute('response.code', 'int', ({ status }) => (status === 0 ? undefined : status)),
  attribute('response.grpc_status', 'int', ({ grpcStatus }) =>
    // The application wrote it: it may be anything.
    /^\d{1,9}$/.test(grpcStatus) ? Number(grpcStatus) : undefined,
  ),
  attribute('response.flags', 'int', ({ flags }) => flagBits(flags)),
  ofRequest('response.size', 'int', (_, { responseBytes }) => responseBytes),
  attribute('connection.mtls', 'bool', ({ peers }) => peers.sourceIdentity !== undefined),
  attribute('connection.uri_san_peer_certificate', 'string', ({ peers }) => peers.sourceIdentity),
  attribute('source.address', 'string', ({ sourceAddress }) => sourceAddress),
  attribute('upstream.address', 'string', ({ endpointAddress }) =>
    endpointAddress === '' ? undefined : endpointAddress,
  ),
]);

/** @param name in any case */
export function headerTerm(name: string): Term {
  const key = name.toLowerCase();
  return {
    type: 'string',
    // Not among the headers of a request: the codec owns it.
    read: ({ request }) => request && (key === 'host' ? request.authority : getHeader(request.headers, key)),
  };
}

function attribute(name: string, type: ValueType, read: Term['read']): readonly [string, Term] {
  return [name, { type, read }];
}

function ofRequest(name: string, type: ValueType, read: ReadRequest): readonly [string, Term] {
  return attribute(name, type, subject => subject.request && read(subject.request, subject));
}
