import type { CompiledPolicySet } from '#shared/authz/compile.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { KeySource } from '#shared/jwt/key-source.ts';
import { VerifiedTokens } from '#shared/jwt/verified-tokens.ts';
import type { RouteRule, ServiceRoutes } from '#shared/route/model.ts';
import type { LocalRateLimit } from '#shared/route/route-filter.ts';
import { customAuthorization } from './custom-policies.ts';
import type { FilterStep } from './filter-step.ts';
import { KeySets } from './key-sets.ts';
import { LocalRateLimiter } from './local-rate-limit.ts';
import { compileRuleFilters, type RuleFilters } from './rule-filters.ts';
import { tokenAuthentication } from './token-step.ts';

export interface ThreadFiltersOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many threads hold each local limit together. */
  readonly threads: number;
  /** To the main thread. */
  readonly askForKeys: (source: KeySource) => void;
}

/** A `ServiceState`. */
interface GuardedService {
  readonly routes: ServiceRoutes | undefined;
  readonly policies: CompiledPolicySet;
}

interface NamedLimiter {
  /** As JSON: a limit that is configured otherwise starts anew, any other change leaves its buckets alone. */
  readonly config: string;
  readonly limiter: LocalRateLimiter;
}

/** Limits of this thread; those configured longest ago are forgotten first. */
const MAX_LIMITERS = 10_000;

/** What the filters of one thread remember beyond a request: keys, tokens, buckets, and what has been compiled. */
export class ThreadFilters {
  readonly keySets: KeySets;
  readonly #options: ThreadFiltersOptions;
  readonly #tokens = new VerifiedTokens();
  readonly #rules = new WeakMap<RouteRule, RuleFilters>();
  readonly #guards = new WeakMap<GuardedService, readonly FilterStep[]>();
  readonly #limiters = new Map<string, NamedLimiter>();

  constructor(options: ThreadFiltersOptions) {
    const { askForKeys: ask, clock, logger } = options;
    this.#options = options;
    this.keySets = new KeySets({ ask, clock, logger });
  }

  /** Of a rule that has filters. `service` is the one whose routes it belongs to. */
  ofRule(service: string, rule: RouteRule): RuleFilters {
    const known = this.#rules.get(rule);
    if (known !== undefined) return known;
    const compiled = compileRuleFilters(rule, ({ limit }, index) =>
      this.#limiter(`${service}\n${limit.sharedAs ?? `${rule.name}\n${index}`}`, limit),
    );
    this.#rules.set(rule, compiled);
    return compiled;
  }

  /**
   * What a request for a service has to pass before its policies are evaluated: verification of tokens, then authorizers of
   * policies of action CUSTOM.
   */
  guardOf(service: GuardedService): readonly FilterStep[] {
    const known = this.#guards.get(service);
    if (known !== undefined) return known;
    const { authorizers = [], tokenIssuers = [] } = service.routes ?? {};
    const steps: FilterStep[] = [];
    if (tokenIssuers.length > 0) steps.push(tokenAuthentication(tokenIssuers, this.#tokens, this.keySets));
    if (service.policies.custom.length > 0) steps.push(customAuthorization(service.policies, authorizers));
    this.#guards.set(service, steps);
    return steps;
  }

  #limiter(name: string, limit: LocalRateLimit): LocalRateLimiter {
    const config = JSON.stringify(limit);
    const known = this.#limiters.get(name);
    if (known?.config === config) return known.limiter;
    const { clock, threads } = this.#options;
    const limiter = new LocalRateLimiter(limit, threads, clock.monotonic());
    this.#limiters.delete(name);
    this.#limiters.set(name, { config, limiter });
    if (this.#limiters.size > MAX_LIMITERS) this.#forgetOldest();
    return limiter;
  }

  #forgetOldest(): void {
    for (const oldest of this.#limiters.keys()) {
      this.#limiters.delete(oldest);
      return;
    }
  }
}
