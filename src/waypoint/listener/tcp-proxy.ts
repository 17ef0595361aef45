import { withServerName } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { reportDryRun } from '#shared/authz/report-dry-run.ts';
import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import { copyBidirectional, type CopyResult } from '#shared/engine/copy.ts';
import type { ConnectionPeers } from '#shared/observability/connection-peers.ts';
import {
  RESPONSE_FLAGS,
  type ResponseFlag,
  TCP_RESPONSE_FLAGS,
} from '#shared/observability/response-flags.ts';
import type { RoutedStream } from '#shared/route/match-stream.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import { workloadIdentity } from '#shared/workload/workload.ts';
import { namedService } from '#shared/workload/workload-service.ts';
import { NO_HASH } from '../balance/choice.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { hashText } from '../balance/text-hash.ts';
import type { Downstream, RequestEnvironment } from '../request/environment.ts';
import { FAILURES, type RequestFailure } from '../request/error-response.ts';
import { type ConnectionLine, logConnection, logSubject } from '../telemetry/connection-log.ts';
import { askedHost } from '../hosts/asked-host.ts';
import type { ServiceState } from '../services/service-state.ts';
import { TunnelRefusedError } from '../upstream/tunnel-attempt.ts';
import type { Hello } from './client-hello.ts';
import {
  type CopiedBytes,
  countBytes,
  type LiveConnection,
  newConnection,
  occupy,
  vacate,
} from './live-connection.ts';
import { openUpstream } from './open-upstream.ts';
import { chooseStream, type StreamTarget } from './stream-target.ts';
import { failureOf, NoEndpointError, OverflowError, tcpFlagOf, UnroutedError } from './tcp-failure.ts';

/** Endpoints that are tried before a connection is given up. */
const MAX_ATTEMPTS = 3;

/** What is left of a connection to be told. */
interface Outcome {
  readonly flag: ResponseFlag;
  /** Undefined: opened and ended in order. */
  readonly error: ChannelError | undefined;
  readonly copied: CopiedBytes;
  readonly durationMs: number;
}

const NOTHING_COPIED = { bytesSent: 0, bytesReceived: 0 };

/** Whatever is not HTTP: authorized, balanced and copied. */
export class TcpProxy {
  readonly #env: RequestEnvironment;
  readonly #live = new Set<LiveConnection>();

  constructor(env: RequestEnvironment) {
    this.#env = env;
  }

  get openConnections(): number {
    return this.#live.size;
  }

  /** Never throws: a failure is logged and the client's connection reset. */
  proxy(channel: ByteChannel, downstream: Downstream, hello: Hello): void {
    const { service } = downstream;
    const authz = withServerName(downstream.authz, askedName(hello));
    const startMs = this.#env.clock.monotonic();
    const decision = evaluate(service.policies, authz);
    reportDryRun(this.#env.logger, service.policies, decision, authz, service.name);
    if (!decision.allowed) {
      this.#env.denials.count(decision, service.service.namespace);
      this.#refuse(channel, downstream, 'denied', new ChannelError('policy', decision.reason), startMs);
      return;
    }
    const live = newConnection(downstream, authz, startMs);
    this.#live.add(live);
    this.#env.inFlight.enter();
    void this.#carry(channel, live, streamOf(downstream, hello));
  }

  /** Policies have changed: what is no longer allowed is cut. @returns how many */
  recheck(): number {
    let cut = 0;
    for (const live of this.#live) {
      const decision = evaluate(live.downstream.service.policies, live.authz);
      if (decision.allowed) continue;
      cut++;
      if (live.denied === undefined)
        this.#env.denials.count(decision, live.downstream.service.service.namespace);
      live.denied = new ChannelError('policy', decision.reason);
      live.copy?.abort(live.denied);
    }
    return cut;
  }

  /** Bytes of open connections, so that one that lasts for days is not counted at its end only. */
  countBytes(): void {
    for (const live of this.#live) if (live.copy !== undefined) countBytes(live, live.copy);
  }

  closeAll(reason: ChannelError): void {
    for (const live of this.#live) live.copy?.abort(reason);
  }

  async #carry(channel: ByteChannel, live: LiveConnection, stream: RoutedStream): Promise<void> {
    // The client may go while we dial; until then nothing of it is read.
    try {
      const target = chooseStream(live.downstream, stream);
      if (!target.ok) throw new UnroutedError(target.failure, target.reason);
      const host = await this.#findHost(live.downstream, target.target, stream.serverName);
      const { upstream, endpoint, policy } = await this.#connect(live, target, host, stream);
      if (live.denied !== undefined) {
        upstream.abort(live.denied);
        throw live.denied;
      }
      const idleTimeoutMs = target.idleTimeoutMs > 0 ? target.idleTimeoutMs : (policy.tcpIdleTimeoutMs ?? 0);
      this.#join(channel, upstream, live, endpoint, idleTimeoutMs);
      this.#limit(live, policy.maxConnectionDurationMs ?? 0);
    } catch (error) {
      this.#ended(live);
      const cause = error instanceof ChannelError ? error : new ChannelError('unreachable', String(error));
      this.#refuse(channel, live.downstream, failureOf(cause), cause, live.startMs);
    }
  }

  #join(
    channel: ByteChannel,
    upstream: ByteChannel,
    live: LiveConnection,
    endpoint: BalancedEndpoint,
    idleTimeoutMs: number,
  ): void {
    const { clock, tcpMetrics } = this.#env;
    const peers = peersOf(live.downstream, endpoint);
    const cells = tcpMetrics.cells(peers);
    live.cells = cells;
    cells.opened.value++;
    tcpMetrics.socketsOpen.value += 2;
    endpoint.load.active++;
    live.copy = copyBidirectional(channel, upstream, {
      clock,
      idleTimeoutMs,
      onClose: result => {
        endpoint.load.active--;
        this.#ended(live);
        countBytes(live, result);
        cells.closed.value++;
        tcpMetrics.socketsOpen.value -= 2;
        if (live.denied !== undefined) tcpMetrics.countFailure(peers, TCP_RESPONSE_FLAGS.denied);
        const durationMs = clock.monotonic() - live.startMs;
        const { error } = result;
        this.#log(live.downstream, peers, endpoint, {
          flag: flagOf(live, result),
          error,
          copied: result,
          durationMs,
        });
      },
    });
  }

  /** However busy it is, a connection lasts no longer. 0 is no limit. */
  #limit(live: LiveConnection, durationMs: number): void {
    if (durationMs === 0 || !this.#live.has(live)) return;
    const reason = new ChannelError('timeout', `maxConnectionDuration of ${durationMs} ms is over`);
    live.limit = this.#env.clock.setTimer(durationMs, () => live.copy?.abort(reason));
  }

  #ended(live: LiveConnection): void {
    live.limit?.cancel();
    vacate(live);
    this.#live.delete(live);
    live.downstream.close();
    this.#env.inFlight.leave();
  }

  /** Of a target that lists no endpoints, the host whose endpoints are meant, once they are there. */
  #findHost(downstream: Downstream, target: ServiceState, serverName: string): Promise<string | undefined> {
    if (target.endpointsBy === 'list') return Promise.resolve(undefined);
    const asked = askedHost(target, downstream, serverName);
    if (!asked.ok) return Promise.reject(new UnroutedError(asked.failure, asked.reason));
    const { host } = asked;
    const { hosts } = this.#env;
    if (target.knowsHost(host)) {
      hosts.use(target.name, host);
      return Promise.resolve(host);
    }
    return new Promise((resolve, reject) => {
      hosts.wait(target.name, host, failure => {
        if (failure === undefined) resolve(host);
        else reject(new UnroutedError('unresolved_host', failure));
      });
    });
  }

  async #connect(
    live: LiveConnection,
    { port, subset, target: chosen }: Extract<StreamTarget, { ok: true }>,
    host: string | undefined,
    { protocol }: RoutedStream,
  ): Promise<{ upstream: ByteChannel; endpoint: BalancedEndpoint; policy: TrafficPolicy }> {
    const { downstream } = live;
    const { env } = downstream;
    const tried: BalancedEndpoint[] = [];
    let target = chosen;
    for (;;) {
      if (target.stale) target = env.services.get(target.name) ?? target;
      const found = target.upstreamAt(port, subset, host);
      const { hash, limits, picker, policy } = found;
      const by = hash.some(source => source.kind === 'source_ip')
        ? hashText(downstream.authz.sourceIp)
        : NO_HASH;
      const endpoint = picker.pick(env.random(), tried, by);
      if (endpoint === undefined) throw new NoEndpointError(target.name);
      // Through a forward proxy it is one of a pool, which counts its own.
      if (policy.tunnel === undefined && !occupy(live, limits.shared))
        throw new OverflowError(target.name, limits.shared.limits);
      const { health } = endpoint.load;
      health?.onStart();
      try {
        const upstream = await openUpstream(downstream, endpoint, found, protocol);
        // Of a connection nothing more is seen: that it could be made is its success.
        health?.onStatus(200);
        return { upstream, endpoint, policy };
      } catch (error) {
        if (error instanceof TunnelRefusedError) {
          // Another one would be asked for the same.
          health?.onStatus(error.status);
          throw error;
        }
        health?.onFailure('connect');
        tried.push(endpoint);
        if (tried.length >= Math.min(MAX_ATTEMPTS, picker.endpoints.length)) throw error;
      }
    }
  }

  #refuse(
    channel: ByteChannel,
    downstream: Downstream,
    failure: RequestFailure,
    error: ChannelError,
    startMs: number,
  ): void {
    const { flag } = FAILURES[failure];
    channel.abort(error);
    const peers = peersOf(downstream, undefined);
    this.#env.tcpMetrics.countFailure(peers, tcpFlagOf(error));
    const durationMs = this.#env.clock.monotonic() - startMs;
    this.#log(downstream, peers, undefined, { flag, error, copied: NOTHING_COPIED, durationMs });
  }

  #log(
    downstream: Downstream,
    peers: ConnectionPeers,
    endpoint: BalancedEndpoint | undefined,
    { copied, durationMs, error, flag }: Outcome,
  ): void {
    const { accessLogMode, connectionLog } = this.#env;
    const asked = downstream.service.routes?.telemetry.accessLog;
    const logged = asked ?? (accessLogMode === 'all' || (accessLogMode === 'errors' && flag !== '-'));
    if (!logged) return;
    const [ip] = endpoint?.workload.addresses ?? [];
    const line: ConnectionLine = {
      peers,
      sourceAddress: downstream.sourceAddress,
      endpointAddress: ip === undefined ? '' : formatHostPort(ip, endpoint?.targetPort ?? 0),
      flags: flag,
      bytesReceived: copied.bytesSent,
      bytesSent: copied.bytesReceived,
      durationMs,
      error: error?.message,
    };
    if (downstream.service.logFilter?.(logSubject(line)) !== false) logConnection(connectionLog, line);
  }
}

function peersOf(downstream: Downstream, endpoint: BalancedEndpoint | undefined): ConnectionPeers {
  const { peers, service } = downstream;
  const destination = endpoint?.workload;
  return {
    reporter: 'waypoint',
    source: peers.source,
    sourceIdentity: peers.sourceIdentity,
    destination,
    destinationIdentity:
      destination === undefined || destination.tunnelProtocol === 'none'
        ? undefined
        : workloadIdentity(destination),
    service: namedService(service.service),
    security: peers.sourceIdentity === undefined ? 'unknown' : 'mutual_tls',
  };
}

/** Undefined: that is not known. */
function askedName(hello: Hello): string | undefined {
  if (hello.kind === 'tls') return hello.serverName;
  return hello.kind === 'not_tls' ? '' : undefined;
}

function streamOf({ authz }: Downstream, hello: Hello): RoutedStream {
  const [destinationIp, sourceIp] = [authz.destinationIpBytes, authz.sourceIpBytes];
  return hello.kind === 'tls'
    ? { protocol: 'tls', serverName: hello.serverName, destinationIp, sourceIp }
    : { protocol: 'tcp', serverName: '', destinationIp, sourceIp };
}

function flagOf(live: LiveConnection, { closedBy, error }: CopyResult): ResponseFlag {
  if (error === undefined) return RESPONSE_FLAGS.none;
  if (live.denied !== undefined) return FAILURES.denied.flag;
  return closedBy === 'downstream'
    ? RESPONSE_FLAGS.downstreamConnectionTermination
    : FAILURES.upstream_closed.flag;
}
