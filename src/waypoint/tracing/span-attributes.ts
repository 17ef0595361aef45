import { getHeader, type HeaderList } from '#shared/http/headers.ts';
import type { TraceTag } from '#shared/route/telemetry-policy.ts';
import type { AttributeValue } from '#shared/tracing/span.ts';
import type { Workload } from '#shared/workload/workload.ts';
import { displayName } from '#shared/workload/workload-service.ts';
import { redactPath } from '../tap/redact.ts';
import type { RequestLine } from '../telemetry/request-log.ts';

/** Attributes of the span of a whole request, by the semantic conventions of HTTP and RPC servers, and Istio's. */
export function requestAttributes(line: RequestLine, path: string): AttributeValue[] {
  const { peers, request, service } = line;
  const query = path.indexOf('?');
  const attributes: AttributeValue[] = [
    'http.request.method',
    request.method,
    'url.scheme',
    request.scheme === '' ? 'http' : request.scheme,
    'url.path',
    query < 0 ? path : path.slice(0, query),
    'server.address',
    hostOf(request.authority),
    'network.protocol.name',
    'http',
    'network.protocol.version',
    request.protocol.slice('HTTP/'.length),
    'client.address',
    line.sourceAddress.slice(0, line.sourceAddress.lastIndexOf(':')),
    'http.response.status_code',
    line.status,
    'http.request.body.size',
    line.requestBytes,
    'http.response.body.size',
    line.responseBytes,
    'istio.destination_service',
    displayName(service),
    'istio.destination_service_namespace',
    service.namespace,
    'response_flags',
    line.flags,
  ];
  if (query >= 0) attributes.push('url.query', redactPath(path).slice(query + 1));
  const agent = getHeader(request.headers, 'user-agent');
  if (agent !== undefined) attributes.push('user_agent.original', agent);
  if (line.route !== '') attributes.push('ambient.route', line.route);
  pushWorkload(attributes, 'source', peers.source);
  pushWorkload(attributes, 'destination', line.endpoint);
  if (peers.sourceIdentity !== undefined) attributes.push('istio.source_principal', peers.sourceIdentity);
  if (line.grpcStatus !== '') pushRpc(attributes, path, line.grpcStatus);
  return attributes;
}

const MAX_TAG_CHARS = 1_024;

/** What the telemetry policy of the service adds. A value of a header is cut to a bearable length. */
export function tagAttributes(tags: readonly TraceTag[], headers: HeaderList): AttributeValue[] {
  return tags.flatMap(({ header, name, value }) => {
    const text = (header === undefined ? undefined : getHeader(headers, header)) ?? value;
    return text === '' ? [] : [name, text.slice(0, MAX_TAG_CHARS)];
  });
}

/** Names are unique in a span: what is there already stays. */
export function pushMissing(attributes: AttributeValue[], more: readonly AttributeValue[]): void {
  const names = new Set(attributes.filter((_, index) => index % 2 === 0));
  for (let i = 0; i < more.length; i += 2) {
    const [name = '', value = ''] = more.slice(i, i + 2);
    if (!names.has(name)) attributes.push(name, value);
  }
}

/** Why a request counts as an error; empty: it does not. A server's span is one only when the server failed. */
export function requestError(line: RequestLine): string {
  if (line.detail !== undefined && line.flags !== '-') return line.detail;
  if (line.grpcStatus !== '')
    return SERVER_ERRORS.has(line.grpcStatus) ? `gRPC status ${line.grpcStatus}` : '';
  return line.status >= 500 ? `HTTP ${line.status}` : '';
}

/** gRPC statuses that are the server's fault: semantic conventions of RPC. */
const SERVER_ERRORS: ReadonlySet<string> = new Set(['2', '4', '12', '13', '14', '15']);

/** Of one try. */
export function attemptAttributes(
  method: string,
  address: string,
  endpoint: Workload,
  resend: number,
): AttributeValue[] {
  const colon = address.lastIndexOf(':');
  const attributes: AttributeValue[] = [
    'http.request.method',
    method,
    'server.address',
    address.slice(0, colon),
    'server.port',
    Number(address.slice(colon + 1)),
  ];
  if (resend > 0) attributes.push('http.request.resend_count', resend);
  pushWorkload(attributes, 'destination', endpoint);
  return attributes;
}

function pushWorkload(attributes: AttributeValue[], side: string, workload: Workload | undefined): void {
  if (workload === undefined) return;
  attributes.push(
    `istio.${side}_workload`,
    workload.workloadName,
    `istio.${side}_namespace`,
    workload.namespace,
  );
}

/** `/package.Service/Method`. */
function pushRpc(attributes: AttributeValue[], path: string, status: string): void {
  const [, service = '', method = ''] = path.split('/');
  attributes.push('rpc.system', 'grpc', 'rpc.service', service, 'rpc.method', method);
  if (/^\d{1,2}$/.test(status)) attributes.push('rpc.grpc.status_code', Number(status));
}

function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, '');
}
