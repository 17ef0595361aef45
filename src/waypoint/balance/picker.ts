import type { Clock } from '#shared/lifecycle/clock.ts';
import type { LoadBalancer, SlowStart } from '#shared/route/traffic-policy.ts';
import { makeChoice, NO_HASH, type RotationCursor } from './choice.ts';
import type { BalancedEndpoint } from './endpoint.ts';
import { EndpointGroup } from './endpoint-group.ts';
import { levelShares } from './level-shares.ts';
import type { Levels } from './locality.ts';
import { mix, stir } from './text-hash.ts';

/** The momentary state of a load balancer: replaced when endpoints or policy change. */
export interface Picker {
  /** All that may be chosen, near and far. */
  readonly endpoints: readonly BalancedEndpoint[];
  /**
   * Chooses in constant or logarithmic time and without allocation. Endpoints in `tried` (few: the tries of one request) are
   * passed over while another is left, be it farther away.
   *
   * @param random in [0, 1)
   * @param hash of the request, where the policy goes by one: 32 bits, or `NO_HASH`
   * @returns undefined when there is no endpoint that may be used
   */
  pick(random: number, tried: readonly BalancedEndpoint[], hash?: number): BalancedEndpoint | undefined;
  /** As `pick`, of a level of locality none of whose endpoints has been tried, where there is one. For retries: it looks at all. */
  pickElsewhere(random: number, tried: readonly BalancedEndpoint[]): BalancedEndpoint | undefined;
}

export interface PickerOptions {
  readonly balancer: LoadBalancer | undefined;
  readonly slowStart: SlowStart | undefined;
  readonly cursor: RotationCursor;
  readonly clock: Clock;
  /** With a smaller share of usable endpoints, 0 to 1, all are used; 0 is off. */
  readonly panicBelow: number;
  /** With none usable all are used: who is left out for failing is better than nobody. */
  readonly panicWhenNone: boolean;
}

export function makePicker(levels: Levels<BalancedEndpoint>, options: PickerOptions): Picker {
  return levels.length === 0 ? NOTHING_TO_PICK : new LevelPicker(levels, options);
}

const NOTHING_TO_PICK: Picker = { endpoints: [], pick: () => undefined, pickElsewhere: () => undefined };
const NONE_TRIED: readonly BalancedEndpoint[] = [];

interface Part {
  readonly group: EndpointGroup;
  readonly weight: number;
}

class LevelPicker implements Picker {
  readonly endpoints: readonly BalancedEndpoint[];
  readonly #parts: readonly Part[];
  /** Levels as index of their first part; one more for the end. */
  readonly #firstPart: readonly number[];
  readonly #options: PickerOptions;
  /** Of each part, cumulative: a draw below it falls on that part. */
  readonly #until: Float64Array;
  #panic = false;
  #stale = true;

  constructor(levels: Levels<BalancedEndpoint>, options: PickerOptions) {
    const { balancer, clock, cursor, slowStart } = options;
    this.#options = options;
    this.endpoints = levels.flatMap(parts => parts.flatMap(part => part.endpoints));
    const onChange = (): void => {
      this.#stale = true;
    };
    const firstPart: number[] = [0];
    for (const parts of levels) firstPart.push((firstPart.at(-1) ?? 0) + parts.length);
    this.#firstPart = firstPart;
    this.#parts = levels.flat().map(({ endpoints, weight }) => {
      const choice = makeChoice(endpoints, balancer, cursor, clock);
      return { weight, group: new EndpointGroup(endpoints, choice, slowStart, clock, onChange) };
    });
    this.#until = new Float64Array(this.#parts.length);
  }

  pick(random: number, tried: readonly BalancedEndpoint[], hash = NO_HASH): BalancedEndpoint | undefined {
    if (this.#stale) this.#weigh();
    const parts = this.#parts;
    const first =
      parts.length === 1 ? 0 : this.#partAt(hash === NO_HASH ? stir(random) : mix(~hash) / 2 ** 32);
    const found = parts[first]?.group.pick(random, tried, hash, this.#panic);
    if (found !== undefined) return found;
    for (const { group } of parts) {
      const other = group.pick(random, tried, hash, this.#panic);
      if (other !== undefined) return other;
    }
    return tried.length === 0 ? undefined : this.pick(random, NONE_TRIED, hash);
  }

  pickElsewhere(random: number, tried: readonly BalancedEndpoint[]): BalancedEndpoint | undefined {
    if (this.#stale) this.#weigh();
    for (let level = 0; level + 1 < this.#firstPart.length; level++) {
      const parts = this.#parts.slice(this.#firstPart[level], this.#firstPart[level + 1]);
      if (parts.some(({ group }) => tried.some(endpoint => group.endpoints.includes(endpoint)))) continue;
      for (const { group } of parts) {
        const found = group.pick(random, tried, NO_HASH, this.#panic);
        if (found !== undefined) return found;
      }
    }
    return this.pick(random, tried);
  }

  #partAt(draw: number): number {
    const until = this.#until;
    for (let i = 0; i < until.length; i++) if (draw < (until[i] ?? 0)) return i;
    return 0;
  }

  /** An endpoint was taken out or is back. Costs as much as there are levels. */
  #weigh(): void {
    this.#stale = false;
    const { panicBelow, panicWhenNone } = this.#options;
    const total = this.endpoints.length;
    const usable = this.#parts.reduce((sum, { group }) => sum + group.usable, 0);
    this.#panic = usable / total < panicBelow || (panicWhenNone && usable === 0);
    const levels = this.#firstPart
      .slice(0, -1)
      .map((from, i) => this.#parts.slice(from, this.#firstPart[i + 1]));
    const counts = levels.map(parts => ({
      total: parts.reduce((sum, { group }) => sum + group.endpoints.length, 0),
      usable: parts.reduce(
        (sum, { group }) => sum + (this.#panic ? group.endpoints.length : group.usable),
        0,
      ),
    }));
    let at = 0;
    let until = 0;
    for (const [i, share] of levelShares(counts).entries()) {
      const parts = levels[i] ?? [];
      const usableParts = parts.map(part => (this.#panic || part.group.usable > 0 ? part.weight : 0));
      const weight = usableParts.reduce((sum, part) => sum + part, 0);
      for (const part of usableParts) {
        until += weight === 0 ? 0 : (share * part) / weight;
        this.#until[at++] = until;
      }
    }
  }
}
