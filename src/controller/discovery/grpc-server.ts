import {
  type Metadata,
  type sendUnaryData,
  Server,
  type ServerUnaryCall,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { CertificateRequest } from '#shared/discovery/certificate-message.ts';
import type { DeltaRequest } from '#shared/discovery/delta-message.ts';
import { MAX_MESSAGE_BYTES } from '#shared/discovery/messages.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { CaMetrics } from '../ca/ca-metrics.ts';
import type { CreateCertificateRequest, CreateCertificateResponse } from '../ca/service.ts';
import type { Authentication } from '../ca/token-authenticator.ts';
import type { ClientEvents, DiscoveryServer } from './discovery-server.ts';
import { certificateService, type DeltaCall, discoveryService } from './grpc-service.ts';
import { RotatingServerCredentials, type ServerCertificate } from './server-credentials.ts';
import type { ServerMetrics } from './server-metrics.ts';

export interface GrpcServerOptions {
  readonly discovery: DiscoveryServer;
  /** Of the value of the `authorization` metadata. Rejects when a token cannot be checked now. */
  readonly authenticate: (authorization: string | undefined, signal: AbortSignal) => Promise<Authentication>;
  readonly createCertificate: (request: CreateCertificateRequest) => Promise<CreateCertificateResponse>;
  readonly certificate: ServerCertificate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  readonly caMetrics: CaMetrics;
}

/** A token is checked by a signature or by one call to the API server. */
const AUTHENTICATION_DEADLINE_MS = 5_000;
const KEEPALIVE_INTERVAL_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
/** Clients come again, with a token checked anew, and spread over the replicas of the moment. */
const MAX_CONNECTION_AGE_MS = 30 * 60_000;
const MAX_CONNECTION_AGE_GRACE_MS = 5_000;
const MAX_STREAMS_PER_CONNECTION = 64;
const STOP_DEADLINE_MS = 2_000;

/** Discovery and the certificate authority over gRPC and TLS: with `grpc-service.ts` the only importers of grpc-js here. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #credentials: RotatingServerCredentials;
  readonly #server = new Server({
    'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.max_connection_age_ms': MAX_CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': MAX_CONNECTION_AGE_GRACE_MS,
    'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  });

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#credentials = new RotatingServerCredentials(options.certificate);
    this.#server.addService(discoveryService, {
      deltaAggregatedResources: (call: DeltaCall) => void this.#onDeltaStream(call),
      streamAggregatedResources: (call: DeltaCall) =>
        endCall(call, status.UNIMPLEMENTED, 'state of the world is not served; use DeltaAggregatedResources'),
    });
    this.#server.addService(certificateService, {
      createCertificate: (
        call: ServerUnaryCall<CertificateRequest, readonly string[]>,
        callback: sendUnaryData<readonly string[]>,
      ) => void this.#onCreateCertificate(call, callback),
    });
  }

  /** @returns the port bound. Rejects when the address cannot be bound. */
  listen(ip: string, port: number): Promise<number> {
    const address = formatHostPort(ip, port);
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, this.#credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(new Error(`discovery cannot listen on ${address}: ${error.message}`, { cause: error }));
      });
    });
  }

  replaceCertificate(certificate: ServerCertificate): void {
    this.#credentials.replace(certificate);
  }

  /** Calls get a moment to end; after it they are cut. */
  async stop(): Promise<void> {
    const { clock, discovery } = this.#options;
    discovery.stop();
    await new Promise<void>(resolve => {
      const timer = clock.setTimer(STOP_DEADLINE_MS, () => this.#server.forceShutdown());
      this.#server.tryShutdown(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Nothing of a stream is read before its caller is known. */
  async #onDeltaStream(call: DeltaCall): Promise<void> {
    const { discovery, logger, metrics } = this.#options;
    const authentication = await this.#authenticate(call.metadata);
    if (call.cancelled) return;
    if (!authentication.ok) {
      metrics.onRefused();
      logger.warn('discovery stream refused', { peer: call.getPeer(), reason: authentication.reason });
      endCall(call, status.UNAUTHENTICATED, `token refused: ${authentication.reason}`);
      return;
    }
    const events = discovery.accept(authentication.caller.identity, call.getPeer(), {
      send: response => void call.write(response),
      close: (name, message) => endCall(call, status[name], message),
    });
    listen(call, events);
  }

  async #onCreateCertificate(
    call: ServerUnaryCall<CertificateRequest, readonly string[]>,
    callback: sendUnaryData<readonly string[]>,
  ): Promise<void> {
    const { caMetrics, logger } = this.#options;
    const response = await this.#sign(call);
    caMetrics.onResponse(response);
    if (response.ok) {
      const notAfter = new Date(response.notAfterMs).toISOString();
      logger.info('certificate issued', { identity: response.identity, notAfter });
      callback(null, response.certChain);
      return;
    }
    const cause = response.cause instanceof Error ? response.cause.message : undefined;
    logger.warn('certificate refused', { peer: call.getPeer(), reason: response.message, cause });
    callback({ code: status[response.code], details: response.message });
  }

  /** A fault of ours is an answer as well: the caller tries again. */
  async #sign(
    call: ServerUnaryCall<CertificateRequest, readonly string[]>,
  ): Promise<CreateCertificateResponse> {
    const { csrPem, impersonatedIdentity, validitySeconds } = call.request;
    try {
      return await this.#options.createCertificate({
        csr: csrPem,
        validityDurationSeconds: validitySeconds,
        ...(impersonatedIdentity === undefined ? {} : { impersonatedIdentity }),
        caller: await this.#authenticate(call.metadata),
      });
    } catch (cause) {
      return { ok: false, code: 'UNAVAILABLE', message: 'the CA cannot sign now', cause };
    }
  }

  /** A token that cannot be checked is refused: the caller tries again. */
  async #authenticate(metadata: Metadata): Promise<Authentication> {
    const [authorization] = metadata.get('authorization');
    const controller = new AbortController();
    const timer = this.#options.clock.setTimer(AUTHENTICATION_DEADLINE_MS, () => {
      controller.abort(new Error(`not checked within ${AUTHENTICATION_DEADLINE_MS} ms`));
    });
    try {
      return await this.#options.authenticate(authorization?.toString(), controller.signal);
    } catch (error) {
      return { ok: false, reason: errorMessage(error) };
    } finally {
      timer.cancel();
    }
  }
}

function listen(call: DeltaCall, events: ClientEvents): void {
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    events.onClose();
  };
  call.on('cancelled', close);
  call.on('close', close);
  call.on('end', () => {
    close();
    call.end();
  });
  // The last one: it starts the flow of messages.
  call.on('data', (request: DeltaRequest) => {
    if (open) events.onRequest(request);
  });
}

function endCall(call: DeltaCall, code: status, details: string): void {
  const error: Partial<ServiceError> = { code, details };
  call.emit('error', error);
}
