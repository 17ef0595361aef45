import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { OutlierDetection } from '#shared/route/traffic-policy.ts';
import type { EndpointLoad } from './endpoint.ts';
import type { EjectionListener, EjectionReason, EndpointHealth, LocalFailure } from './endpoint-health.ts';

/** Envoy's: however often an endpoint was ejected before. */
const MAX_EJECTION_MS = 300_000;

export interface OutlierDetectorOptions {
  readonly config: OutlierDetection;
  readonly clock: Clock;
  readonly listener: EjectionListener;
  /** How many endpoints the balancer has now. */
  readonly endpoints: () => number;
}

/**
 * Envoy's outlier detection over the endpoints of one balancer: who fails so often in a row is left out, each time longer,
 * and comes back by itself. Never more than the permitted share of endpoints is out, except for the first.
 */
export class OutlierDetector {
  readonly #options: OutlierDetectorOptions;
  readonly #watched = new Set<WatchedEndpoint>();
  #ejected = 0;
  #sweep: Timer | undefined;

  constructor(options: OutlierDetectorOptions) {
    this.#options = options;
  }

  watch(uid: string, load: EndpointLoad): EndpointHealth {
    return new WatchedEndpoint(uid, load, this.#options.config, {
      tryEject: (endpoint, reason) => this.#tryEject(endpoint, reason),
      forget: endpoint => this.#forget(endpoint),
    });
  }

  #tryEject(endpoint: WatchedEndpoint, reason: EjectionReason): void {
    const { clock, config, endpoints, listener } = this.#options;
    // As Envoy: the share is looked at before, so that one may always go unless the limit is 0.
    if (endpoint.ejected || (100 * this.#ejected) / Math.max(1, endpoints()) >= config.maxEjectionPercent)
      return;
    endpoint.times++;
    const forMs = Math.min(
      config.baseEjectionMs * endpoint.times,
      Math.max(MAX_EJECTION_MS, config.baseEjectionMs),
    );
    this.#ejected++;
    endpoint.eject(clock.monotonic() + forMs);
    this.#watched.add(endpoint);
    listener.onEject(endpoint.uid, reason, forMs);
    this.#sweep ??= clock.setTimer(config.intervalMs, () => this.#onSweep());
  }

  /** Runs only while there is somebody to bring back, or to forgive. */
  #onSweep(): void {
    const { clock, config, listener } = this.#options;
    const nowMs = clock.monotonic();
    this.#sweep = undefined;
    for (const endpoint of this.#watched) {
      if (!endpoint.ejected) {
        endpoint.times--;
        if (endpoint.times === 0) this.#watched.delete(endpoint);
      } else if (nowMs >= endpoint.ejectedUntilMs) {
        this.#ejected--;
        endpoint.giveBack();
        listener.onReturn(endpoint.uid);
      }
    }
    if (this.#watched.size > 0) this.#sweep = clock.setTimer(config.intervalMs, () => this.#onSweep());
  }

  #forget(endpoint: WatchedEndpoint): void {
    if (endpoint.ejected) {
      this.#ejected--;
      endpoint.giveBack();
    }
    this.#watched.delete(endpoint);
    if (this.#watched.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }
}

interface Judge {
  tryEject(endpoint: WatchedEndpoint, reason: EjectionReason): void;
  forget(endpoint: WatchedEndpoint): void;
}

class WatchedEndpoint implements EndpointHealth {
  readonly uid: string;
  readonly watchesStatus = true;
  ejectedUntilMs = 0;
  /** Ejections that are not forgiven yet. */
  times = 0;
  readonly #load: EndpointLoad;
  readonly #config: OutlierDetection;
  readonly #judge: Judge;
  #server = 0;
  #gateway = 0;
  #local = 0;

  constructor(uid: string, load: EndpointLoad, config: OutlierDetection, judge: Judge) {
    this.uid = uid;
    this.#load = load;
    this.#config = config;
    this.#judge = judge;
  }

  get ejected(): boolean {
    return this.#load.out;
  }

  eject(untilMs: number): void {
    this.ejectedUntilMs = untilMs;
    this.#load.setOut(true);
  }

  /** Back, with a clean record. */
  giveBack(): void {
    this.#server = 0;
    this.#gateway = 0;
    this.#local = 0;
    this.#load.setOut(false);
  }

  onStart(): void {}

  onStatus(status: number): void {
    // An answer is no failure of the way to it.
    if (this.#config.splitExternalLocalOriginErrors) this.#local = 0;
    this.#onExternal(status);
  }

  onFailure(failure: LocalFailure): void {
    if (this.#config.splitExternalLocalOriginErrors) {
      this.#local++;
      this.#check(
        this.#local,
        this.#config.consecutiveLocalOriginFailures,
        'consecutive_local_origin_failure',
      );
    } else this.#onExternal(failure === 'timeout' ? 504 : 503);
  }

  onInconclusive(): void {}

  close(): void {
    this.#judge.forget(this);
  }

  #onExternal(status: number): void {
    const { consecutive5xx, consecutiveGatewayErrors, errorStatusCodes } = this.#config;
    const failed = (status >= 500 && status <= 599) || errorStatusCodes.includes(status);
    this.#server = failed ? this.#server + 1 : 0;
    this.#gateway = status >= 502 && status <= 504 ? this.#gateway + 1 : 0;
    if (!failed) return;
    this.#check(this.#gateway, consecutiveGatewayErrors, 'consecutive_gateway_failure');
    this.#check(this.#server, consecutive5xx, 'consecutive_5xx');
  }

  /** A limit of 0 is off. */
  #check(count: number, limit: number, reason: EjectionReason): void {
    if (limit > 0 && count >= limit) this.#judge.tryEject(this, reason);
  }
}
