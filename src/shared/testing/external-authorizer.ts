import type { ExternalAuthorizer } from '../route/external-authorizer.ts';

/** One that is asked by gRPC for what it gets by default: no body, no headers of its own choice. */
export function externalAuthorizer(
  service: string,
  over: Partial<ExternalAuthorizer> = {},
): ExternalAuthorizer {
  return {
    name: 'asked',
    protocol: 'grpc',
    service,
    port: 80,
    timeoutMs: 5_000,
    failOpen: false,
    statusOnError: 403,
    pathPrefix: '',
    maxBodyBytes: 0,
    allowPartialBody: false,
    bodyAsBytes: false,
    requestHeaders: [],
    addedHeaders: [],
    headersToUpstream: [],
    headersToDownstreamOnAllow: [],
    headersToDownstreamOnDeny: [],
    ...over,
  };
}
