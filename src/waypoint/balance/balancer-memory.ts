import type { Clock } from '#shared/lifecycle/clock.ts';
import type { LoadBalancer, TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { SharedUse } from '../upstream/shared-use.ts';
import type { RotationCursor } from './choice.ts';
import { EndpointLoad, EndpointLoads } from './endpoint.ts';
import type { EjectionListener, EndpointHealth } from './endpoint-health.ts';
import { AccruingEndpoint } from './failure-accrual.ts';
import { Latency } from './latency.ts';
import { OutlierDetector } from './outlier-detector.ts';
import { ReportedWeight } from './reported-weight.ts';

export interface BalancerMemoryOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly listener: EjectionListener;
}

/**
 * What one balancer (a port of a service, or of a subset of it) keeps while the mesh changes around it: where its rotation
 * stands, and what it knows of its endpoints.
 */
export class BalancerMemory {
  readonly cursor: RotationCursor = { turn: 0 };
  /** What its connections and requests use of their bounds. */
  readonly use = new SharedUse();
  readonly loads: EndpointLoads;
  readonly #options: BalancerMemoryOptions;
  #policy: TrafficPolicy | undefined;
  #policyText = '';
  #detector: OutlierDetector | undefined;

  constructor(options: BalancerMemoryOptions) {
    this.#options = options;
    this.loads = new EndpointLoads((uid, first) => this.#makeLoad(uid, first));
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** To be called before endpoints are asked for. Another policy of ejection, latency or reports begins with a clean record. */
  usePolicy(policy: TrafficPolicy): void {
    this.#policy = policy;
    const { failureAccrual, loadBalancer, outlierDetection } = policy;
    const text = JSON.stringify([outlierDetection, failureAccrual, knowledgeOf(loadBalancer)]);
    if (text === this.#policyText) return;
    this.#policyText = text;
    for (const [, load] of this.loads.entries()) load.health?.close();
    this.#detector =
      outlierDetection === undefined
        ? undefined
        : new OutlierDetector({
            ...this.#options,
            config: outlierDetection,
            endpoints: () => this.loads.size,
          });
    for (const [uid, load] of this.loads.entries()) this.#equip(uid, load);
  }

  /** The service is gone. */
  close(): void {
    for (const [, load] of this.loads.entries()) load.health?.close();
  }

  #makeLoad(uid: string, first: boolean): EndpointLoad {
    const load = new EndpointLoad(first ? Number.NEGATIVE_INFINITY : this.#options.clock.monotonic());
    this.#equip(uid, load);
    return load;
  }

  #equip(uid: string, load: EndpointLoad): void {
    const { clock } = this.#options;
    const balancer = knowledgeOf(this.#policy?.loadBalancer);
    load.latency = balancer?.kind === 'peak_ewma' ? new Latency(clock, balancer.penalty) : undefined;
    load.reported =
      balancer?.kind === 'backend_utilization' ? new ReportedWeight(clock, balancer.reports) : undefined;
    load.health = this.#makeHealth(uid, load);
  }

  /** Outlier detection counts connections that fail in its own way; no dialect has it together with accrual. */
  #makeHealth(uid: string, load: EndpointLoad): EndpointHealth {
    if (this.#detector !== undefined) return this.#detector.watch(uid, load);
    return new AccruingEndpoint(uid, load, { ...this.#options, config: this.#policy?.failureAccrual });
  }
}

/** The balancer, where it goes by what is known of each endpoint. */
function knowledgeOf(balancer: LoadBalancer | undefined): LoadBalancer | undefined {
  return balancer?.kind === 'peak_ewma' || balancer?.kind === 'backend_utilization' ? balancer : undefined;
}
