import type { RetryPolicy, RouteBackend, RouteRule } from '#shared/route/model.ts';
import { NO_HASH } from '../balance/choice.ts';
import type { BalancedEndpoint } from '../balance/endpoint.ts';
import { formatNewCookie, hashRequest } from '../balance/request-hash.ts';
import { ClientSession } from '../balance/session.ts';
import { failOver } from '../services/failover.ts';
import type { ServiceState, Upstream } from '../services/service-state.ts';
import { TimedRequest } from './timed-request.ts';

const NONE_TRIED: readonly BalancedEndpoint[] = [];

/** A request that knows which backend it is for: for each try an endpoint is picked that it has not tried yet. */
export abstract class PickedRequest extends TimedRequest {
  protected rule: RouteRule | undefined;
  protected backend: RouteBackend | undefined;
  protected target: ServiceState | undefined;
  /** Whose endpoints are meant, of a target that lists none. */
  protected host: string | undefined;
  /** Of the rule, or of where it leads. */
  protected session: ClientSession | undefined;
  #tried: BalancedEndpoint[] | undefined;
  #hash: number | undefined;

  protected abstract send(upstream: Upstream, endpoint: BalancedEndpoint): void;
  protected abstract noEndpoint(): void;

  /** Ends in `send` or `noEndpoint`. */
  protected pickEndpoint({ hostSelectionAttempts, remoteLocalities }: RetryPolicy): void {
    const { env } = this.downstream;
    const backend = this.backend;
    let target = this.target;
    if (backend === undefined || target === undefined) return;
    if (target.stale) this.target = target = env.services.get(target.name) ?? target;
    const upstream = target.upstreamAt(backend.port, backend.subset, this.host);
    const tried = hostSelectionAttempts === 0 ? NONE_TRIED : (this.#tried ?? NONE_TRIED);
    const random = env.random();
    const session = this.#useSession(upstream);
    const endpoint =
      session?.find(upstream.picker.endpoints, tried) ??
      this.#pick(upstream, random, tried, remoteLocalities);
    if (endpoint !== undefined) return this.send(upstream, endpoint);
    const other = failOver(env.services, upstream, backend.port, random, tried);
    if (other === undefined) this.noEndpoint();
    else this.send(other.upstream, other.endpoint);
  }

  /** It is not picked again while there are others. */
  protected leaveOut(endpoint: BalancedEndpoint): void {
    this.#tried ??= [];
    this.#tried.push(endpoint);
  }

  #pick(
    upstream: Upstream,
    random: number,
    tried: readonly BalancedEndpoint[],
    remoteLocalities: boolean,
  ): BalancedEndpoint | undefined {
    if (tried.length > 0 && remoteLocalities) return upstream.picker.pickElsewhere(random, tried);
    return upstream.picker.pick(random, tried, this.#hashBy(upstream));
  }

  #useSession(upstream: Upstream): ClientSession | undefined {
    const policy = this.rule?.session ?? upstream.policy.session;
    if (policy === undefined) return undefined;
    return (this.session ??= new ClientSession(policy, this.request, this.downstream.env.clock.now()));
  }

  /** The same for all tries of a request. A client that has no cookie to be known by gets one. */
  #hashBy({ hash }: Upstream): number {
    if (hash.length === 0) return NO_HASH;
    if (this.#hash !== undefined) return this.#hash;
    const { env, sourceAddress } = this.downstream;
    const made = hashRequest(hash, this.request, sourceAddress, env.random());
    this.#hash = made.hash;
    if (made.newCookie !== undefined) {
      const cookie = { name: 'set-cookie', value: formatNewCookie(made.newCookie) };
      this.responseChanges = [...this.responseChanges, { set: [], add: [cookie], remove: [] }];
    }
    return made.hash;
  }
}
