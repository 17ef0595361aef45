import type { HeaderList } from '#shared/http/headers.ts';
import { RESPONSE_FLAGS, type ResponseFlag } from '#shared/observability/response-flags.ts';
import type { FilterResponse } from './filter-response.ts';
import { grpcStatusOf } from './grpc-status.ts';

/** The answer of a filter that does not let a request pass. */
export interface Refusal {
  readonly status: number;
  /** Besides `content-type`. */
  readonly headers: HeaderList;
  readonly body: string | Buffer;
  readonly flag: ResponseFlag;
  /** For gRPC clients; undefined: what the HTTP status stands for. */
  readonly grpcStatus: number | undefined;
  /** For the access log. */
  readonly detail: string;
}

/** As the policies of the mesh themselves refuse. */
export function accessDenied(detail: string): Refusal {
  return {
    status: 403,
    headers: [],
    body: 'RBAC: access denied',
    flag: RESPONSE_FLAGS.unauthorized,
    grpcStatus: 7,
    detail,
  };
}

/** The response in the client's own terms: gRPC finds its status only where there are trailers alone. */
export function refusalResponse(refusal: Refusal, grpc: boolean): FilterResponse {
  const { body, headers, status } = refusal;
  if (grpc) {
    const message = encodeGrpcMessage(body.toString());
    const fields = ['content-type', 'application/grpc', 'grpc-status', String(grpcStatusFor(refusal))];
    if (message !== '') fields.push('grpc-message', message);
    return {
      head: { status: 200, headers: [...fields, ...withoutContentType(headers)], contentLength: undefined },
      body: '',
    };
  }
  const typed = headers.includes('content-type') || body.length === 0;
  const fields = typed ? [...headers] : ['content-type', 'text/plain', ...headers];
  return { head: { status, headers: fields, contentLength: Buffer.byteLength(body) }, body };
}

export function grpcStatusFor({ grpcStatus, status }: Refusal): number {
  return grpcStatus ?? grpcStatusOf(status);
}

function withoutContentType(headers: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-type') kept.push(headers[i] ?? '', headers[i + 1] ?? '');
  }
  return kept;
}

const MAX_MESSAGE_CHARS = 1024;

/** Percent-encoding of `grpc-message` (gRPC over HTTP/2, "Responses"): printable ASCII without `%` stays as it is. */
function encodeGrpcMessage(text: string): string {
  const cut = text.length > MAX_MESSAGE_CHARS ? text.slice(0, MAX_MESSAGE_CHARS) : text;
  return Buffer.from(cut)
    .toString('latin1')
    .replace(/[^\x20-\x24\x26-\x7e]/g, character => {
      return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    });
}
