import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import { ChannelCredentials, Client, type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { systemClock } from '../lifecycle/clock.ts';
import { ConnectPatience } from './connect-patience.ts';
import {
  type DeltaRequest,
  type DeltaResponse,
  decodeDeltaResponse,
  encodeDeltaRequest,
} from './delta-message.ts';
import type { DeltaStream, DeltaStreamEvents, DeltaTransport } from './delta-transport.ts';
import { MAX_MESSAGE_BYTES } from './messages.ts';

/** How to reach a control plane and prove who asks. The readers are called for every connection: files rotate. */
export interface ControllerEndpoint {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
  /** PEM of the roots that the controller's certificate must chain to. @throws Error when it cannot be read. */
  readonly trustBundle: () => string;
  /** Bearer token; undefined to send none. @throws Error when it cannot be read. */
  readonly token: () => string | undefined;
  readonly clusterId: string;
  /** Name the certificate must be for, where it is not the host of `address`. */
  readonly serverName?: string;
}

export const DELTA_ADS_PATH =
  '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';

/** A dead controller is noticed after one interval and one timeout. */
const KEEPALIVE_INTERVAL_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** Only a name for the handshake: the certificate is checked against the address that was dialled. */
const SERVER_NAME_FOR_ADDRESS = 'istiod.istio-system.svc';

/** Delta discovery over gRPC. Each stream has a connection of its own, so that a reconnect takes new credentials. */
export function createDeltaTransport(
  endpoint: ControllerEndpoint,
  patience = new ConnectPatience(),
): DeltaTransport {
  return {
    address: endpoint.address,
    open(events) {
      const client = openClient(endpoint);
      const call = client.makeBidiStreamRequest(
        DELTA_ADS_PATH,
        encodeDeltaRequest,
        (bytes: Buffer) => ({ response: decodeDeltaResponse(bytes), bytes: bytes.length }),
        callMetadata(endpoint),
      );
      return attach(call, client, events, patience);
    },
  };
}

export interface ControllerMethod<Q, R> {
  readonly path: string;
  readonly encode: (request: Q) => Buffer;
  readonly decode: (bytes: Buffer) => R;
}

/**
 * One unary call with a connection of its own.
 * @throws Error naming address, gRPC status and detail; also when the deadline passes.
 */
export function callController<Q, R>(
  endpoint: ControllerEndpoint,
  method: ControllerMethod<Q, R>,
  request: Q,
  deadlineMs: number,
  patience: ConnectPatience,
): Promise<R> {
  return new Promise((resolve, reject) => {
    const client = openClient(endpoint);
    let isOver = false;
    const close = (): void => {
      isOver = true;
      client.close();
    };
    giveUpLate(
      client,
      patience,
      () => isOver,
      reason => {
        close();
        reject(new Error(`${endpoint.address}: ${reason}`));
      },
    );
    const options = { deadline: systemClock.now() + deadlineMs };
    const metadata = callMetadata(endpoint);
    const { path, encode, decode } = method;
    client.makeUnaryRequest(path, encode, decode, request, metadata, options, (error, response) => {
      close();
      if (error !== null) reject(new Error(`${endpoint.address}: ${error.message}`, { cause: error }));
      else if (response === undefined) reject(new Error(`${endpoint.address}: empty answer`));
      else resolve(response);
    });
  });
}

/** Tells that there is no connection after as long as it may take. Nothing is told once the call is over. */
function giveUpLate(
  client: Client,
  patience: ConnectPatience,
  isOver: () => boolean,
  onLate: (reason: string) => void,
): void {
  const { ms } = patience;
  client.waitForReady(systemClock.now() + ms, error => {
    if (error === undefined) patience.succeeded();
    // It is told of a channel that was closed, too. The clock does not tell the two apart: timers may be early by part of a millisecond.
    else if (!isOver()) {
      patience.failed();
      onLate(`not connected within ${ms} ms`);
    }
  });
}

function openClient(endpoint: ControllerEndpoint): Client {
  const context = createSecureContext({ ca: endpoint.trustBundle(), minVersion: 'TLSv1.3' });
  const expected = endpoint.serverName ?? hostOf(endpoint.address);
  const credentials = ChannelCredentials.createFromSecureContext(context, {
    checkServerIdentity: (_host, certificate) => checkServerIdentity(expected, certificate),
  });
  return new Client(endpoint.address, credentials, {
    'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.keepalive_permit_without_calls': 0,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.use_local_subchannel_pool': 1,
    // A proxy meant for the workloads' traffic must not carry the control plane's.
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    // RFC 6066 §3 allows no address as SNI, and grpc-js would send it.
    'grpc.ssl_target_name_override': isIP(expected) === 0 ? expected : SERVER_NAME_FOR_ADDRESS,
  });
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}

function callMetadata(endpoint: ControllerEndpoint): Metadata {
  const metadata = new Metadata();
  const token = endpoint.token();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  metadata.set('clusterid', endpoint.clusterId);
  return metadata;
}

interface SizedResponse {
  readonly response: DeltaResponse;
  readonly bytes: number;
}

function attach(
  call: ClientDuplexStream<DeltaRequest, SizedResponse>,
  client: Client,
  events: DeltaStreamEvents,
  patience: ConnectPatience,
): DeltaStream {
  let open = true;
  const end = (reason: string | undefined): void => {
    if (!open) return;
    open = false;
    client.close();
    if (reason !== undefined) events.onEnd(reason);
  };
  const isOver = (): boolean => !open;
  giveUpLate(client, patience, isOver, reason => {
    end(reason);
    call.cancel();
  });
  call.on('data', (message: SizedResponse) => {
    if (open) events.onResponse(message.response, message.bytes);
  });
  // `error` comes for every status but OK; `end` alone means that the server closed in order.
  call.on('error', (error: Error) => end(error.message));
  call.on('end', () => end('closed by the controller'));
  return {
    send: request => {
      if (open) call.write(request);
    },
    cancel: () => {
      if (!open) return;
      end(undefined);
      call.cancel();
    },
  };
}
