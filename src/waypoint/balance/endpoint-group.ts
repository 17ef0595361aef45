import type { Clock } from '#shared/lifecycle/clock.ts';
import type { SlowStart } from '#shared/route/traffic-policy.ts';
import type { Choice } from './choice.ts';
import type { BalancedEndpoint, OutCount } from './endpoint.ts';
import { warmShare } from './slow-start.ts';
import { stir } from './text-hash.ts';

/** Choices that came to nothing before the endpoints are gone through one after the other. */
const REDRAWS = 4;

/** Endpoints that are equally near: one algorithm chooses among them. */
export class EndpointGroup implements OutCount {
  readonly endpoints: readonly BalancedEndpoint[];
  readonly #choice: Choice;
  readonly #slowStart: SlowStart | undefined;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  /** Until then some endpoint is new. */
  #warmUntilMs: number;
  #out = 0;

  /** `onChange`: the number of endpoints that may be chosen is another one. */
  constructor(
    endpoints: readonly BalancedEndpoint[],
    choice: Choice,
    slowStart: SlowStart | undefined,
    clock: Clock,
    onChange: () => void,
  ) {
    this.endpoints = endpoints;
    this.#choice = choice;
    this.#slowStart = choice.warms ? slowStart : undefined;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#warmUntilMs = Number.NEGATIVE_INFINITY;
    for (const { load } of endpoints) {
      load.join(this);
      if (this.#slowStart !== undefined)
        this.#warmUntilMs = Math.max(this.#warmUntilMs, load.addedMs + this.#slowStart.windowMs);
    }
  }

  /** How many are not out. */
  get usable(): number {
    return this.endpoints.length - this.#out;
  }

  count(change: 1 | -1): void {
    this.#out += change;
    this.#onChange();
  }

  /**
   * @param tried passed over; empty in a last attempt
   * @param panic those that are out may be taken
   * @returns undefined when there is none
   */
  pick(
    random: number,
    tried: readonly BalancedEndpoint[],
    hash: number,
    panic: boolean,
  ): BalancedEndpoint | undefined {
    if (!panic && this.usable === 0) return undefined;
    const warming = this.#warmUntilMs !== Number.NEGATIVE_INFINITY && this.#stillWarming();
    const first = this.endpoints[this.#choice.choose(random, hash, 0)];
    // Nearly always: what follows costs nothing then.
    if (first !== undefined && !warming && mayTake(first, tried, panic)) return first;
    return this.#pickAgain(first, random, tried, hash, panic, warming);
  }

  #pickAgain(
    first: BalancedEndpoint | undefined,
    random: number,
    tried: readonly BalancedEndpoint[],
    hash: number,
    panic: boolean,
    warming: boolean,
  ): BalancedEndpoint | undefined {
    let index = 0;
    let draw = random;
    let endpoint = first;
    for (let again = 1; again <= REDRAWS && endpoint !== undefined; again++) {
      draw = stir(draw);
      if (mayTake(endpoint, tried, panic) && (!warming || this.#isWarm(endpoint, stir(1 - draw))))
        return endpoint;
      index = this.#choice.choose(draw, hash, again);
      endpoint = this.endpoints[index];
    }
    if (endpoint === undefined || mayTake(endpoint, tried, panic)) return endpoint;
    return this.#nextFrom(index, tried, panic);
  }

  #nextFrom(index: number, tried: readonly BalancedEndpoint[], panic: boolean): BalancedEndpoint | undefined {
    const size = this.endpoints.length;
    for (let step = 1; step <= size; step++) {
      const endpoint = this.endpoints[(index + step) % size];
      if (endpoint !== undefined && mayTake(endpoint, tried, panic)) return endpoint;
    }
    return undefined;
  }

  #stillWarming(): boolean {
    if (this.#clock.monotonic() < this.#warmUntilMs) return true;
    this.#warmUntilMs = Number.NEGATIVE_INFINITY;
    return false;
  }

  /** Refusing a choice with the missing share of its weight leaves each endpoint with exactly what it should get. */
  #isWarm({ load }: BalancedEndpoint, random: number): boolean {
    if (this.#slowStart === undefined || load.addedMs === Number.NEGATIVE_INFINITY) return true;
    return random < warmShare(this.#slowStart, this.#clock.monotonic() - load.addedMs);
  }
}

function mayTake(
  { load, uid }: BalancedEndpoint,
  tried: readonly BalancedEndpoint[],
  panic: boolean,
): boolean {
  if (load.out && !panic) return false;
  for (const other of tried) if (other.uid === uid) return false;
  return true;
}
