import { getHeader, setHeader } from '#shared/http/headers.ts';
import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import type { GlobalRateLimit, HeaderValue } from '#shared/route/route-filter.ts';
import { unaryCall } from '../callout/unary-call.ts';
import type { FilterContext, FilterStep } from './filter-step.ts';
import { describe, type Descriptor } from './rate-limit-descriptor.ts';
import { decodeRateLimit, encodeRateLimit, type RateLimitVerdict } from './rate-limit-message.ts';
import type { Refusal } from './refusal.ts';

const METHOD = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

/** Asks a rate-limit service whether the request is within the limits it keeps for all waypoints together. */
export function globalRateLimit(limit: GlobalRateLimit): FilterStep {
  return (context, done) => {
    const descriptors = describe(limit.descriptors, described(context));
    if (descriptors.length === 0) {
      done(undefined);
      return undefined;
    }
    const call = unaryCall(context.downstream.env, callOf(limit, descriptors, context), outcome => {
      const verdict: RateLimitVerdict = outcome.ok
        ? decodeRateLimit(outcome.message)
        : { kind: 'error', reason: outcome.reason };
      done(conclude(limit, context, verdict));
    });
    call.start();
    return () => call.cancel();
  };
}

function described({ downstream, request }: FilterContext) {
  const { method, path, headers } = request;
  const { authz, peers, service } = downstream;
  return {
    method,
    path,
    headers,
    sourceIp: authz.sourceIp,
    sourceIdentity: peers.sourceIdentity,
    service: service.name,
  };
}

function callOf(limit: GlobalRateLimit, descriptors: readonly Descriptor[], { request }: FilterContext) {
  const { domain, port, service, timeoutMs } = limit;
  return {
    service,
    port,
    method: METHOD,
    authority: service.slice(service.indexOf('/') + 1),
    message: encodeRateLimit(domain, descriptors),
    timeoutMs,
    traceparent: getHeader(request.headers, 'traceparent'),
  };
}

function conclude(
  limit: GlobalRateLimit,
  context: FilterContext,
  verdict: RateLimitVerdict,
): Refusal | undefined {
  switch (verdict.kind) {
    case 'error':
      return unanswered(limit, context, verdict.reason);
    case 'ok':
      for (const { name, value } of verdict.requestHeaders) setHeader(context.request.headers, name, value);
      addToResponse(context, verdict.responseHeaders);
      return undefined;
    case 'over_limit':
      return overLimit(verdict);
  }
}

function addToResponse(context: FilterContext, headers: readonly HeaderValue[]): void {
  if (headers.length > 0) context.responseChanges.push({ set: [], add: headers, remove: [] });
}

function overLimit({ body, responseHeaders }: Exclude<RateLimitVerdict, { kind: 'error' }>): Refusal {
  return {
    status: 429,
    headers: ['x-envoy-ratelimited', 'true', ...responseHeaders.flatMap(({ name, value }) => [name, value])],
    body,
    flag: RESPONSE_FLAGS.rateLimited,
    grpcStatus: 8,
    detail: 'over a limit of the rate-limit service',
  };
}

function unanswered(
  limit: GlobalRateLimit,
  { downstream }: FilterContext,
  reason: string,
): Refusal | undefined {
  const { failOpen, service } = limit;
  downstream.env.logger.warn('rate-limit service failed', { service, failOpen, error: reason });
  if (failOpen) return undefined;
  return {
    status: 500,
    headers: [],
    body: '',
    flag: RESPONSE_FLAGS.rateLimitServiceError,
    grpcStatus: 14,
    detail: `rate-limit service ${service} failed: ${reason}`,
  };
}
