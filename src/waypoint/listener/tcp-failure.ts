import { ChannelError } from '#shared/engine/channel.ts';
import { TCP_RESPONSE_FLAGS, type TcpResponseFlag } from '#shared/observability/response-flags.ts';
import type { RequestFailure } from '../request/error-response.ts';
import type { SharedLimits } from '../upstream/shared-use.ts';

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

/** As many connections as its policy allows are open. */
export class OverflowError extends ChannelError {
  constructor(service: string, { maxConnections }: Pick<SharedLimits, 'maxConnections'>) {
    super(
      'resource_exhausted',
      `${service} has as many connections as maxConnections allows: ${maxConnections} in this thread`,
    );
    this.name = 'OverflowError';
  }
}

export function failureOf(error: ChannelError): RequestFailure {
  if (error instanceof NoEndpointError) return 'no_endpoint';
  if (error instanceof UnroutedError) return error.failure;
  if (error instanceof OverflowError) return 'overflow';
  return error.code === 'policy' ? 'denied' : 'connect_failure';
}

export function tcpFlagOf(error: ChannelError): TcpResponseFlag {
  if (error instanceof OverflowError) return TCP_RESPONSE_FLAGS.overflow;
  if (error.code === 'policy') return TCP_RESPONSE_FLAGS.denied;
  return error.code === 'tls_handshake' ? TCP_RESPONSE_FLAGS.tlsFailure : TCP_RESPONSE_FLAGS.connect;
}
