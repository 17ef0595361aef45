import { evaluate } from '#shared/authz/evaluate.ts';
import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import { type BidirectionalCopy, copyBidirectional } from '#shared/engine/copy.ts';
import { pickBackend } from '#shared/route/pick-backend.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import type { Downstream, RequestEnvironment } from '../request/environment.ts';
import type { ServiceState } from '../services/service-state.ts';
import { FAILURES, type RequestFailure } from '../request/error-response.ts';

/** Endpoints that are tried before a connection is given up. */
const MAX_ATTEMPTS = 3;

/** One proxied connection, to be cut when policy no longer allows it. */
interface LiveConnection {
  readonly downstream: Downstream;
  copy: BidirectionalCopy | undefined;
  denied: ChannelError | undefined;
}

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
  proxy(channel: ByteChannel, downstream: Downstream): void {
    const live: LiveConnection = { downstream, copy: undefined, denied: undefined };
    const decision = evaluate(downstream.service.policies, downstream.authz);
    if (!decision.allowed) {
      this.#refuse(channel, downstream, 'denied', decision.reason);
      return;
    }
    this.#live.add(live);
    this.#env.inFlight.enter();
    void this.#carry(channel, live);
  }

  /** Policies have changed: what is no longer allowed is cut. @returns how many */
  recheck(): number {
    let cut = 0;
    for (const live of this.#live) {
      const { service, authz } = live.downstream;
      const decision = evaluate(service.policies, authz);
      if (decision.allowed) continue;
      cut++;
      live.denied = new ChannelError('policy', decision.reason);
      live.copy?.abort(live.denied);
    }
    return cut;
  }

  closeAll(reason: ChannelError): void {
    for (const live of this.#live) live.copy?.abort(reason);
  }

  async #carry(channel: ByteChannel, live: LiveConnection): Promise<void> {
    const { clock } = this.#env;
    const startMs = clock.monotonic();
    // The client may go while we dial; until then nothing of it is read.
    try {
      const { upstream, endpoint } = await this.#connect(live.downstream);
      if (live.denied !== undefined) {
        upstream.abort(live.denied);
        throw live.denied;
      }
      endpoint.load.active++;
      live.copy = copyBidirectional(channel, upstream, {
        clock,
        onClose: result => {
          endpoint.load.active--;
          this.#ended(live);
          const error = result.error?.message;
          this.#log(
            live.downstream,
            endpoint,
            error === undefined ? '-' : 'UC',
            error,
            result,
            clock.monotonic() - startMs,
          );
        },
      });
    } catch (error) {
      this.#ended(live);
      const failure = error instanceof TcpFailure ? error.failure : 'connect_failure';
      this.#refuse(channel, live.downstream, failure, error instanceof Error ? error.message : String(error));
    }
  }

  #ended(live: LiveConnection): void {
    this.#live.delete(live);
    this.#env.inFlight.leave();
  }

  async #connect(downstream: Downstream): Promise<{ upstream: ByteChannel; endpoint: BalancedEndpoint }> {
    const { env, service, port } = downstream;
    const { target, targetPort, subset } = this.#chooseTarget(service, port);
    const tried: BalancedEndpoint[] = [];
    for (;;) {
      const endpoint = target.picker(targetPort, subset).pick(env.random(), tried);
      if (endpoint === undefined) throw new TcpFailure('no_endpoint', `${target.name} has no endpoint`);
      try {
        const { connectTimeoutMs } = target.upstreamPolicy(subset);
        return { upstream: await env.pools.connect(endpoint, connectTimeoutMs), endpoint };
      } catch (error) {
        tried.push(endpoint);
        if (tried.length >= Math.min(MAX_ATTEMPTS, target.picker(targetPort, subset).endpoints.length))
          throw error;
      }
    }
  }

  /** Weights of a rule without matches hold for connections too (as for a VirtualService's `tcp` routes). */
  #chooseTarget(service: ServiceState, port: number) {
    const rule = service.routes?.rules.find(
      r => r.matches.length === 0 && (r.ports.length === 0 || r.ports.includes(port)),
    );
    const backend = rule === undefined ? undefined : pickBackend(rule.backends, this.#env.random());
    const target = backend?.service === undefined ? undefined : this.#env.services.get(backend.service);
    if (backend === undefined || target === undefined)
      return { target: service, targetPort: port, subset: undefined };
    return { target, targetPort: backend.port, subset: backend.subset };
  }

  #refuse(channel: ByteChannel, downstream: Downstream, failure: RequestFailure, detail: string): void {
    channel.abort(new ChannelError(failure === 'denied' ? 'policy' : 'unreachable', detail));
    const none = { bytesSent: 0, bytesReceived: 0 };
    this.#log(downstream, undefined, FAILURES[failure].flag, detail, none, 0);
  }

  #log(
    downstream: Downstream,
    endpoint: BalancedEndpoint | undefined,
    flag: string,
    error: string | undefined,
    bytes: { readonly bytesSent: number; readonly bytesReceived: number },
    durationMs: number,
  ): void {
    const { accessLog, accessLogMode } = this.#env;
    const failed = flag !== '-';
    if (accessLogMode === 'off' || (accessLogMode === 'errors' && !failed)) return;
    const [ip] = endpoint?.workload.addresses ?? [];
    accessLog.write(failed ? 'error' : 'info', failed ? 'failed' : 'complete', [
      'src.addr',
      downstream.sourceAddress,
      'src.workload',
      downstream.peers.source?.name,
      'src.identity',
      downstream.peers.sourceIdentity,
      'dst.service',
      downstream.service.service.hostname,
      'dst.addr',
      ip === undefined ? undefined : formatHostPort(ip, endpoint?.targetPort ?? 0),
      'dst.workload',
      endpoint?.workload.name,
      'protocol',
      'TCP',
      'response_flags',
      flag,
      // As the client sees it: sent is what it wrote.
      'bytes_sent',
      bytes.bytesSent,
      'bytes_recv',
      bytes.bytesReceived,
      'duration',
      `${Math.round(durationMs)}ms`,
      'error',
      error,
    ]);
  }
}

class TcpFailure extends Error {
  readonly failure: RequestFailure;

  constructor(failure: RequestFailure, message: string) {
    super(message);
    this.name = 'TcpFailure';
    this.failure = failure;
  }
}
