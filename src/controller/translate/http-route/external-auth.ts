import type { ExternalAuthorizer, HeaderNameMatch } from '#shared/route/external-authorizer.ts';
import { normalizePath } from '#shared/route/path.ts';
import type { Fields } from '../decode.ts';
import { readTarget } from '../gateway-route/backend-ref.ts';
import { readFilterBody } from '../gateway-route/header-modifier.ts';
import type { RouteContext } from '../gateway-route/route-context.ts';
import { type ReadFilter, UNRESOLVED } from '../gateway-route/unresolved-filter.ts';
import { headerName } from '../http-headers.ts';

/** The specification says nothing of it; a request must not wait for ever. */
const TIMEOUT_MS = 10_000;
/** Fail closed: "any problem communicating with the external service". */
const STATUS_ON_ERROR = 403;
const MAX_BODY_BYTES = 65_535;
const MAX_PATH_CHARS = 1024;
/** What a path may hold, as for matches. */
const PATH = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;
const EVERY_HEADER: readonly HeaderNameMatch[] = [{ kind: 'any' }];

type Conversation = Pick<ExternalAuthorizer, 'pathPrefix' | 'requestHeaders' | 'headersToUpstream'>;

/** `ExternalAuth` (experimental channel): a Service is asked about each request. */
export function readExternalAuth(fields: Fields, context: RouteContext): ReadFilter {
  return readFilterBody<ReadFilter>(
    fields,
    'externalAuth',
    body => {
      const protocol = body.oneOf('protocol', ['HTTP', 'GRPC']);
      if (protocol === undefined) body.requiredString('protocol');
      const conversation = protocol === 'GRPC' ? readGrpc(body) : readHttp(body);
      const maxBodyBytes = body.object('forwardBody', of => of.integer('maxSize', 0, MAX_BODY_BYTES)) ?? 0;
      const target = body.object('backendRef', backend => readTarget(backend, context));
      if (target === undefined && !body.has('backendRef'))
        body.reject('backendRef', 'is required', 'name the Service that is asked');
      if (target?.service === undefined) return UNRESOLVED;
      const authorizer: ExternalAuthorizer = {
        name: target.service,
        protocol: protocol === 'GRPC' ? 'grpc' : 'http',
        service: target.service,
        port: target.port,
        timeoutMs: TIMEOUT_MS,
        failOpen: false,
        statusOnError: STATUS_ON_ERROR,
        maxBodyBytes,
        allowPartialBody: false,
        bodyAsBytes: false,
        addedHeaders: [],
        headersToDownstreamOnAllow: [],
        headersToDownstreamOnDeny: [],
        ...conversation,
      };
      return { kind: 'external_authorization', authorizer };
    },
    undefined,
  );
}

function readGrpc(body: Fields): Conversation {
  refuseOther(body, 'http', 'GRPC');
  const requestHeaders = body.object('grpc', grpc => readNames(grpc, 'allowedHeaders')) ?? [];
  requireOwn(body, 'grpc', 'GRPC');
  return { pathPrefix: '', requestHeaders, headersToUpstream: [] };
}

function readHttp(body: Fields): Conversation {
  refuseOther(body, 'grpc', 'HTTP');
  const http = body.object('http', fields => ({
    pathPrefix: readPath(fields),
    requestHeaders: readNames(fields, 'allowedHeaders'),
    response: readNames(fields, 'allowedResponseHeaders'),
  }));
  requireOwn(body, 'http', 'HTTP');
  const response = http?.response ?? [];
  return {
    pathPrefix: http?.pathPrefix ?? '',
    requestHeaders: http?.requestHeaders ?? [],
    headersToUpstream: response.length === 0 ? EVERY_HEADER : response,
  };
}

function refuseOther(body: Fields, key: string, protocol: string): void {
  if (body.has(key))
    body.reject(key, `does not go with protocol ${protocol}`, 'remove it, or change protocol');
}

function requireOwn(body: Fields, key: string, protocol: string): void {
  if (body.has('protocol') && !body.has(key))
    body.reject(key, `is required with protocol ${protocol}`, `set ${body.at(key)}, which may be {}`);
}

function readNames(fields: Fields, key: string): readonly HeaderNameMatch[] {
  return fields.strings(key).map(name => ({ kind: 'exact', value: headerName(fields, key, name) }));
}

/** Put before the path of each request, which begins with a slash. */
function readPath(fields: Fields): string {
  const path = fields.string('path') ?? '';
  if (path === '') return '';
  const prefix = normalizePath(path.startsWith('/') ? path : `/${path}`);
  if (prefix === undefined || !PATH.test(path) || path.length > MAX_PATH_CHARS) {
    fields.reject('path', 'is no path', 'write such as /check, without query');
    return '';
  }
  return prefix.replace(/\/+$/, '');
}
