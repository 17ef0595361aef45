import { ChannelError } from '#shared/engine/channel.ts';
import { TCP_RESPONSE_FLAGS, type TcpResponseFlag } from '#shared/observability/response-flags.ts';
import type { RequestFailure } from '../request/error-response.ts';

export class UnroutedError extends ChannelError {
  readonly failure: RequestFailure;

  constructor(failure: RequestFailure, reason: string) {
    super('unreachable', reason);
    this.name = 'UnroutedError';
    this.failure = failure;
  }
}

export class NoEndpointError extends ChannelError {
  constructor(service: string) {
    super('unreachable', `${service} has no endpoint`);
    this.name = 'NoEndpointError';
  }
}

export function failureOf(error: ChannelError): RequestFailure {
  if (error instanceof NoEndpointError) return 'no_endpoint';
  if (error instanceof UnroutedError) return error.failure;
  return error.code === 'policy' ? 'denied' : 'connect_failure';
}

export function tcpFlagOf({ code }: ChannelError): TcpResponseFlag {
  if (code === 'policy') return TCP_RESPONSE_FLAGS.denied;
  return code === 'tls_handshake' ? TCP_RESPONSE_FLAGS.tlsFailure : TCP_RESPONSE_FLAGS.connect;
}
