import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { OutlierDetection } from '#shared/route/traffic-policy.ts';
import type { EndpointLoad } from './endpoint.ts';
import type { EjectionListener, EjectionReason, EndpointHealth, LocalFailure } from './endpoint-health.ts';

/** Envoy's: however often an endpoint was ejected before. */
const MAX_EJECTION_MS = 300_000;

/** Envoy's: of fewer endpoints with fewer requests in an interval a share says nothing. */
const MIN_PERCENTAGE_ENDPOINTS = 5;
const MIN_PERCENTAGE_REQUESTS = 50;

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
  /** Those that were ejected, until they are forgiven. */
  readonly #watched = new Set<WatchedEndpoint>();
  /** Those that had requests in this interval, where their failures are counted. */
  readonly #active = new Set<WatchedEndpoint>();
  #ejected = 0;
  #sweep: Timer | undefined;

  constructor(options: OutlierDetectorOptions) {
    this.#options = options;
  }

  watch(uid: string, load: EndpointLoad): EndpointHealth {
    return new WatchedEndpoint(uid, load, this.#options.config, {
      tryEject: (endpoint, reason) => this.#tryEject(endpoint, reason),
      onRequest: endpoint => this.#onRequest(endpoint),
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
    this.#runSweep();
  }

  #runSweep(): void {
    const { clock, config } = this.#options;
    this.#sweep ??= clock.setTimer(config.intervalMs, () => this.#onSweep());
  }

  #onRequest(endpoint: WatchedEndpoint): void {
    this.#active.add(endpoint);
    this.#runSweep();
  }

  /** Runs only while there is somebody to bring back, to forgive, or to count. */
  #onSweep(): void {
    const { clock, listener } = this.#options;
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
    this.#judgeInterval();
    if (this.#watched.size > 0) this.#runSweep();
  }

  /** Who failed too large a share of what it got in this interval. */
  #judgeInterval(): void {
    const threshold = this.#options.config.failurePercent;
    const busy = [...this.#active].filter(({ requests }) => requests >= MIN_PERCENTAGE_REQUESTS);
    if (threshold !== undefined && busy.length >= MIN_PERCENTAGE_ENDPOINTS) {
      for (const endpoint of busy) {
        if ((100 * endpoint.failures) / endpoint.requests >= threshold)
          this.#tryEject(endpoint, 'failure_percentage');
      }
    }
    for (const endpoint of this.#active) endpoint.beginInterval();
    this.#active.clear();
  }

  #forget(endpoint: WatchedEndpoint): void {
    if (endpoint.ejected) {
      this.#ejected--;
      endpoint.giveBack();
    }
    this.#watched.delete(endpoint);
    this.#active.delete(endpoint);
    if (this.#watched.size + this.#active.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }
}

interface Judge {
  tryEject(endpoint: WatchedEndpoint, reason: EjectionReason): void;
  /** The first of an interval. */
  onRequest(endpoint: WatchedEndpoint): void;
  forget(endpoint: WatchedEndpoint): void;
}

class WatchedEndpoint implements EndpointHealth {
  readonly uid: string;
  readonly watchesStatus = true;
  ejectedUntilMs = 0;
  /** Ejections that are not forgiven yet. */
  times = 0;
  /** Of this interval, where failures are counted. */
  requests = 0;
  failures = 0;
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

  beginInterval(): void {
    this.requests = 0;
    this.failures = 0;
  }

  onStart(): void {}

  onStatus(status: number): void {
    // An answer is no failure of the way to it.
    if (this.#config.splitExternalLocalOriginErrors) this.#local = 0;
    const { errorStatusCodes: named } = this.#config;
    const failed = named.length > 0 ? named.includes(status) : status >= 500 && status <= 599;
    this.#onExternal(failed, status);
  }

  onFailure(failure: LocalFailure): void {
    if (this.#config.splitExternalLocalOriginErrors) {
      this.#local++;
      this.#check(
        this.#local,
        this.#config.consecutiveLocalOriginFailures,
        'consecutive_local_origin_failure',
      );
    } else this.#onExternal(true, failure === 'timeout' ? 504 : 503);
  }

  onInconclusive(): void {}

  close(): void {
    this.#judge.forget(this);
  }

  #onExternal(failed: boolean, status: number): void {
    const { consecutive5xx, consecutiveGatewayErrors, failurePercent } = this.#config;
    if (failurePercent !== undefined) this.#count(failed);
    this.#server = failed ? this.#server + 1 : 0;
    this.#gateway = failed && status >= 502 && status <= 504 ? this.#gateway + 1 : 0;
    if (!failed) return;
    this.#check(this.#gateway, consecutiveGatewayErrors, 'consecutive_gateway_failure');
    this.#check(this.#server, consecutive5xx, 'consecutive_5xx');
  }

  #count(failed: boolean): void {
    if (this.requests === 0) this.#judge.onRequest(this);
    this.requests++;
    if (failed) this.failures++;
  }

  /** A limit of 0 is off. */
  #check(count: number, limit: number, reason: EjectionReason): void {
    if (limit > 0 && count >= limit) this.#judge.tryEject(this, reason);
  }
}
