import type { Clock } from '#shared/lifecycle/clock.ts';
import type { SlowStart } from '#shared/route/traffic-policy.ts';
import { type Choice, NO_HASH } from './choice.ts';
import type { BalancedEndpoint, OutCount } from './endpoint.ts';
import { warmShare } from './slow-start.ts';
import { mix, stir } from './text-hash.ts';

/** Choices that came to nothing before one is made among those that are not out. */
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
  /** Indexes of those that are not out; undefined until it is needed again. */
  #inUse: Uint32Array | undefined;

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
    this.#inUse = undefined;
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
    let draw = random;
    let endpoint = first;
    for (let again = 1; again <= REDRAWS && endpoint !== undefined; again++) {
      draw = stir(draw);
      if (mayTake(endpoint, tried, panic) && (!warming || this.#isWarm(endpoint, stir(1 - draw))))
        return endpoint;
      endpoint = this.endpoints[this.#choice.choose(draw, hash, again)];
    }
    if (endpoint === undefined || mayTake(endpoint, tried, panic)) return endpoint;
    const start = hash === NO_HASH ? stir(draw) : mix(hash) / 2 ** 32;
    return panic ? this.#anyFrom(start, tried) : this.#inUseFrom(start, tried);
  }

  /** Where most are out: none of them is looked at. Weights play no role here. */
  #inUseFrom(start: number, tried: readonly BalancedEndpoint[]): BalancedEndpoint | undefined {
    this.#inUse ??= this.#indexesInUse();
    const size = this.#inUse.length;
    const from = Math.floor(start * size);
    for (let step = 0; step < size; step++) {
      const endpoint = this.endpoints[this.#inUse[(from + step) % size] ?? 0];
      if (endpoint !== undefined && !hasBeen(tried, endpoint)) return endpoint;
    }
    return undefined;
  }

  #anyFrom(start: number, tried: readonly BalancedEndpoint[]): BalancedEndpoint | undefined {
    const size = this.endpoints.length;
    const from = Math.floor(start * size);
    for (let step = 0; step < size; step++) {
      const endpoint = this.endpoints[(from + step) % size];
      if (endpoint !== undefined && !hasBeen(tried, endpoint)) return endpoint;
    }
    return undefined;
  }

  #indexesInUse(): Uint32Array {
    const indexes = new Uint32Array(this.usable);
    let at = 0;
    for (const [i, { load }] of this.endpoints.entries()) if (!load.out) indexes[at++] = i;
    return indexes.subarray(0, at);
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

function mayTake(endpoint: BalancedEndpoint, tried: readonly BalancedEndpoint[], panic: boolean): boolean {
  if (endpoint.load.out && !panic) return false;
  return !hasBeen(tried, endpoint);
}

function hasBeen(tried: readonly BalancedEndpoint[], { uid }: BalancedEndpoint): boolean {
  for (const other of tried) if (other.uid === uid) return true;
  return false;
}
