import { getHeader } from '#shared/http/headers.ts';
import { asksForTunnel, isConnect } from '#shared/http/tunnel.ts';
import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import type { ExternalAuthorizer } from '#shared/route/external-authorizer.ts';
import { applyHeaderChange } from '#shared/route/filters.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import { Callout } from '../callout/callout.ts';
import { unaryCall } from '../callout/unary-call.ts';
import { type AuthorizerVerdict, verdictRefusal } from './authorizer-verdict.ts';
import { decodeCheck, encodeCheck } from './check-message.ts';
import type { FilterContext, FilterStep } from './filter-step.ts';
import { checkHead, readCheckResponse } from './http-check.ts';
import { accessDenied, type Refusal } from './refusal.ts';

const CHECK_METHOD = '/envoy.service.auth.v3.Authorization/Check';
const MAX_HTTP_ANSWER_BYTES = 256 * 1024;
const NO_BODY = Buffer.alloc(0);

/** Asks `authorizer` whether the request may go on, with the beginning of its body where that is wanted. */
export function externalAuthorization(authorizer: ExternalAuthorizer): FilterStep {
  return (context, done) => {
    if (authorizer.protocol === 'http' && isConnect(context.request)) {
      done(cannotBeAsked(authorizer));
      return undefined;
    }
    let callout: Callout | undefined;
    let over = false;
    const ask = (body: Buffer): void => {
      callout = startCheck(authorizer, context, body, verdict =>
        done(conclude(authorizer, context, verdict)),
      );
      callout.start();
    };
    if (!wantsBody(authorizer, context)) ask(NO_BODY);
    else {
      context.body.hold(authorizer.maxBodyBytes, (body, complete) => {
        if (over) return;
        if (complete || authorizer.allowPartialBody)
          ask(Buffer.from(body.subarray(0, authorizer.maxBodyBytes)));
        else done(tooLarge(authorizer));
      });
    }
    return () => {
      over = true;
      callout?.cancel();
    };
  };
}

/** A gRPC stream may wait for an answer before it ends, and what is for a tunnel is no body: neither is waited for. */
function wantsBody({ maxBodyBytes }: ExternalAuthorizer, { grpc, request }: FilterContext): boolean {
  return maxBodyBytes > 0 && !grpc && !asksForTunnel(request) && request.contentLength !== 0;
}

function startCheck(
  authorizer: ExternalAuthorizer,
  { downstream, request }: FilterContext,
  body: Buffer,
  onVerdict: (verdict: AuthorizerVerdict) => void,
): Callout {
  const { env } = downstream;
  const { bodyAsBytes, port, protocol, requestHeaders, service, timeoutMs } = authorizer;
  if (protocol === 'http') {
    const head = checkHead(request, authorizer, body.length);
    const sent = body.length === 0 ? undefined : body;
    const call = { service, port, protocol: 'http1', head, body: sent, timeoutMs } as const;
    return new Callout(env, { ...call, maxResponseBytes: MAX_HTTP_ANSWER_BYTES }, outcome =>
      onVerdict(readCheckResponse(outcome, authorizer)),
    );
  }
  const nowMs = env.clock.now();
  const message = encodeCheck({ request, requestHeaders, body, bodyAsBytes, ...peersOf(downstream), nowMs });
  const authority = service.slice(service.indexOf('/') + 1);
  const traceparent = getHeader(request.headers, 'traceparent');
  return unaryCall(
    env,
    { service, port, method: CHECK_METHOD, authority, message, timeoutMs, traceparent },
    outcome =>
      onVerdict(outcome.ok ? decodeCheck(outcome.message) : { kind: 'error', reason: outcome.reason }),
  );
}

function peersOf({ authz, dialled, peers, port, service, sourceAddress }: FilterContext['downstream']) {
  const sourcePort = Number(sourceAddress.slice(sourceAddress.lastIndexOf(':') + 1));
  return {
    source: { ip: authz.sourceIp, port: sourcePort, principal: peers.sourceIdentity ?? '' },
    destination: { ip: service.service.addresses[0]?.ip ?? canonicalIp(dialled) ?? '', port, principal: '' },
  };
}

function conclude(
  authorizer: ExternalAuthorizer,
  context: FilterContext,
  verdict: AuthorizerVerdict,
): Refusal | undefined {
  if (verdict.kind === 'allow') {
    applyHeaderChange(verdict.request, context.request.headers);
    context.responseChanges.push(verdict.response);
    return undefined;
  }
  if (verdict.kind === 'error') {
    const { logger } = context.downstream.env;
    logger.warn('external authorizer failed', {
      authorizer: authorizer.name,
      service: authorizer.service,
      failOpen: authorizer.failOpen,
      error: verdict.reason,
    });
  }
  return verdictRefusal(verdict, authorizer);
}

/** It is asked with the method of the request, and a CONNECT to it would be one more tunnel; as a GET it may allow it. */
function cannotBeAsked({ name }: ExternalAuthorizer): Refusal {
  return accessDenied(
    `external authorizer ${name} is asked over HTTP, where nobody can be asked about a CONNECT`,
  );
}

function tooLarge({ maxBodyBytes, name }: ExternalAuthorizer): Refusal {
  return {
    status: 413,
    headers: [],
    body: 'request body too large',
    flag: RESPONSE_FLAGS.unauthorized,
    grpcStatus: 8,
    detail: `external authorizer ${name} takes bodies of ${maxBodyBytes} bytes at most`,
  };
}
