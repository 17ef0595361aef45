import { ChannelError, type ByteChannel, type SocketEndpoint } from '#shared/engine/channel.ts';
import type { TcpChannel } from '#shared/engine/engine.ts';
import { ConnectRefusedError, type HboneTunnel } from '#shared/hbone/session-pool.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { Workload } from '#shared/workload/workload.ts';
import { connectionError } from '../connections/carry.ts';
import type { TrackedConnection } from '../connections/tracked-connection.ts';
import { NoCertificateError } from '../pod/certificate-store.ts';
import type { PodContext } from '../pod/pod-context.ts';
import { baggageOf } from './baggage.ts';
import { buildRequest, type OutboundRequest } from './build-request.ts';

/** Endpoints tried for one connection before it fails. */
const MAX_ATTEMPTS = 3;
const NONE_EXCLUDED: ReadonlySet<string> = new Set();

export interface OutboundTarget {
  /** Canonical IP text, or (SOCKS5) a host name. */
  readonly host: string;
  readonly port: number;
  readonly source: SocketEndpoint;
}

/**
 * Decides where the connection goes and connects there; an endpoint of a service that cannot be reached is replaced by
 * another one. Describes what it does on `connection`. Rejects with `ChannelError`; no byte of the application has been
 * sent then.
 */
export async function connectOutbound(
  pod: PodContext,
  target: OutboundTarget,
  connection: TrackedConnection,
): Promise<ByteChannel> {
  const { view, gate, settings, random, clock, logger, failures } = pod.traffic;
  if (!gate.known) await gate.wait();
  // Its pod may have left meanwhile.
  if (connection.aborted !== undefined) throw connection.aborted;
  const source = pod.current().workload;
  const deadline = clock.monotonic() + settings.connectTimeoutMs;
  let excluded = failures.held();
  let failure: ChannelError | undefined;
  for (let attempt = 1; ; attempt++) {
    const { host, port } = target;
    let request = buildRequest(view, { source, host, port, excluded, settings }, random);
    if (request.kind === 'refuse' && attempt === 1 && excluded.size > 0) {
      // Nothing else is left than what failed a moment ago.
      excluded = NONE_EXCLUDED;
      request = buildRequest(view, { source, host, port, excluded, settings }, random);
    }
    // That nothing is left to try says less than why the last one failed.
    if (request.kind === 'refuse' && failure !== undefined) throw failure;
    describe(connection, request, source, pod.identity);
    if (request.kind === 'refuse') throw new ChannelError('unreachable', request.reason);
    if (request.reason !== '') logger.warn('waypoint bypassed', { src: source.uid, reason: request.reason });
    const tried = triedUid(request);
    try {
      const upstream = await open(pod, target, request, source);
      failures.reached(tried);
      if ('peerIdentity' in upstream) describePeer(connection, upstream.peerIdentity);
      return upstream;
    } catch (error) {
      const givesUp =
        attempt === MAX_ATTEMPTS || clock.monotonic() >= deadline || connection.aborted !== undefined;
      if (tried === '' || !isRetriable(request, error)) throw error;
      failures.failed(tried);
      if (givesUp) throw error;
      failure = connectionError(error);
      excluded = new Set([...excluded, tried]);
    }
  }
}

/** Whether another endpoint may do better: the application's bytes have gone nowhere yet. */
function isRetriable(request: OutboundRequest, error: unknown): boolean {
  if (!request.retriable || !(error instanceof ChannelError)) return false;
  // A waypoint has tried other endpoints itself; asking another waypoint would multiply the attempts.
  if (error instanceof NoCertificateError) return false;
  if (error instanceof ConnectRefusedError) return request.kind === 'hbone' && error.status === 503;
  return error.code !== 'policy' && error.code !== 'aborted' && error.code !== 'resource_exhausted';
}

function triedUid(request: OutboundRequest): string {
  return request.peerUid === '' ? (request.workload?.uid ?? '') : request.peerUid;
}

/** Not `async`: it would be one more frame that waits for the same answer. Throws where nothing can be begun. */
function open(
  pod: PodContext,
  target: OutboundTarget,
  request: OutboundRequest,
  source: Workload,
): Promise<TcpChannel | HboneTunnel> {
  if (request.kind === 'plaintext') return pod.dialer.dial(request.nextHop);
  // Nobody waits for a handshake that cannot be: the reason is ours, and known.
  pod.traffic.certificates.get(pod.identity);
  return pod.pool.connect({
    sourceIdentity: pod.identity,
    destinationIdentities: request.expectedIdentities,
    remote: request.nextHop,
    workloadUid: request.peerUid,
    request: {
      host: request.authority.host,
      port: request.authority.port,
      baggage: baggageOf(source),
      forwarded: { source: target.source, host: request.service?.hostname ?? '' },
    },
  });
}

/** Of several that were expected it is known now who answered. */
function describePeer(connection: TrackedConnection, peerIdentity: string): void {
  if (peerIdentity === connection.peers.destinationIdentity) return;
  connection.peers = { ...connection.peers, destinationIdentity: peerIdentity };
}

function describe(
  connection: TrackedConnection,
  request: OutboundRequest,
  source: Workload,
  identity: string,
): void {
  const secure = request.kind === 'hbone' || request.kind === 'waypoint';
  connection.peers = {
    reporter: 'source',
    source,
    sourceIdentity: identity,
    destination: request.workload,
    destinationIdentity: secure ? request.expectedIdentities[0] : undefined,
    service: request.service,
    security: secure ? 'mutual_tls' : 'unknown',
  };
  const { nextHop, authority } = request;
  connection.destinationAddress = nextHop.ip === '' ? '' : formatHostPort(nextHop.ip, nextHop.port);
  connection.hboneAddress = secure ? formatHostPort(authority.host, authority.port) : '';
}
