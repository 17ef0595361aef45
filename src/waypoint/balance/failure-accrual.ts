import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { FailureAccrual } from '#shared/route/traffic-policy.ts';
import type { EndpointLoad } from './endpoint.ts';
import type { EjectionListener, EjectionReason, EndpointHealth, LocalFailure } from './endpoint-health.ts';
import { SuccessWindow } from './success-window.ts';

export interface FailureAccrualOptions {
  /** Undefined: only what cannot be connected to is left out. */
  readonly config: FailureAccrual | undefined;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly listener: EjectionListener;
}

/** How long an endpoint is left out that could not be connected to: nothing says it is gone, and others are there. */
const CONNECT_PENALTY = { minPenaltyMs: 100, maxPenaltyMs: 10_000, jitter: 0.5 } as const;

/**
 * `available`: chosen like any other. `penalty`: left out until its time is over. `probation`: may be chosen, for one request.
 * `probing`: that request is under way, nobody else is sent there.
 */
type State = 'available' | 'penalty' | 'probation' | 'probing';

/**
 * Linkerd's failure accrual for one endpoint: after so many failures, or one connection that could not be made, it is left out
 * for a time that doubles with each failure after it, and let back in by one request that succeeds. It cannot get stuck: a
 * penalty ends by its timer, and a probe that says nothing, or not for long, makes room for another.
 */
export class AccruingEndpoint implements EndpointHealth {
  readonly #uid: string;
  readonly #load: EndpointLoad;
  readonly #options: FailureAccrualOptions;
  readonly #window: SuccessWindow | undefined;
  #state: State = 'available';
  #failures = 0;
  #penalties = 0;
  #timer: Timer | undefined;

  constructor(uid: string, load: EndpointLoad, options: FailureAccrualOptions) {
    this.#uid = uid;
    this.#load = load;
    this.#options = options;
    const { clock, config } = options;
    const rate = config?.successRate;
    this.#window = rate && new SuccessWindow(clock, rate.windowMs);
  }

  get state(): State {
    return this.#state;
  }

  get watchesStatus(): boolean {
    return this.#options.config !== undefined || this.#state !== 'available';
  }

  onStart(): void {
    if (this.#state !== 'probation') return;
    const { clock, config } = this.#options;
    this.#setState('probing');
    const { maxPenaltyMs } = config ?? CONNECT_PENALTY;
    this.#timer = clock.setTimer(maxPenaltyMs, () => this.#setState('probation'));
  }

  onStatus(status: number): void {
    // 429 counts as a failure where a rate is watched: who is overloaded is to be spared as well.
    const failed = status >= 500 || (status === 429 && this.#window !== undefined);
    if (failed && this.#options.config !== undefined) this.#onFailed('other', status === 429);
    else this.#onSucceeded();
  }

  onFailure(failure: LocalFailure): void {
    this.#onFailed(failure);
  }

  onInconclusive(): void {
    if (this.#state === 'probing') this.#setState('probation');
  }

  close(): void {
    this.#setState('available');
  }

  #onSucceeded(): void {
    this.#window?.record(true);
    this.#failures = 0;
    // In a penalty: it was sent before, or everybody is out. One that serves is let back in.
    if (this.#state === 'available') return;
    this.#setState('available');
    this.#penalties = 0;
    this.#window?.clear();
    this.#options.listener.onReturn(this.#uid);
  }

  /** @param limited it asked for less: no failure of a row of them */
  #onFailed(failure: LocalFailure | 'other', limited = false): void {
    this.#window?.record(false);
    if (!limited) this.#failures++;
    // What was sent before the penalty began has been punished for already.
    if (this.#state === 'penalty') return;
    const { config } = this.#options;
    if (failure === 'connect') this.#punish('connect_failure', CONNECT_PENALTY);
    else if (config === undefined) this.onInconclusive();
    else {
      const reason = this.#tooMuch(config);
      if (reason !== undefined) this.#punish(reason, config);
    }
  }

  /** Whichever is reached first; a probe that fails is too much by itself. */
  #tooMuch({ consecutiveFailures, successRate }: FailureAccrual): EjectionReason | undefined {
    if (consecutiveFailures > 0 && this.#failures >= consecutiveFailures) return 'failure_accrual';
    if (this.#isTooLow(successRate)) return 'success_rate';
    if (this.#state === 'available') return undefined;
    return successRate === undefined ? 'failure_accrual' : 'success_rate';
  }

  #isTooLow(rate: FailureAccrual['successRate']): boolean {
    if (rate === undefined) return false;
    const { failed = 0, total = 0 } = this.#window?.counts() ?? {};
    return total >= rate.minRequests && (total - failed) / total < rate.threshold;
  }

  #punish(
    reason: EjectionReason,
    { jitter, maxPenaltyMs, minPenaltyMs }: Pick<FailureAccrual, 'jitter' | 'maxPenaltyMs' | 'minPenaltyMs'>,
  ): void {
    const { clock, listener, random } = this.#options;
    const bound = Math.min(maxPenaltyMs, minPenaltyMs * 2 ** Math.min(this.#penalties, 30));
    const forMs = bound * (1 + jitter * random());
    this.#penalties++;
    this.#setState('penalty');
    this.#timer = clock.setTimer(forMs, () => this.#setState('probation'));
    listener.onEject(this.#uid, reason, forMs);
  }

  /** The one place where the state changes: with its timer, and with whether the endpoint may be chosen. */
  #setState(state: State): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#state = state;
    this.#load.setOut(state === 'penalty' || state === 'probing');
  }
}
