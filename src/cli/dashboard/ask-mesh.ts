import { errorMessage } from '#shared/observability/error-message.ts';
import type { ProxyRef } from '../proxies.ts';
import { settleEach } from './settle-each.ts';

/** How proxies are asked: an admin page as JSON or as text. */
export interface AskProxy {
  readonly json: (proxy: ProxyRef, path: string) => Promise<unknown>;
  readonly text: (proxy: ProxyRef, path: string) => Promise<string>;
}

interface Rest {
  readonly untilMs: number;
  readonly restMs: number;
  readonly why: string;
}

const FIRST_REST_MS = 5_000;
const LONGEST_REST_MS = 60_000;

/**
 * Asks proxies again and again. One that does not answer is let be for a while, longer each time, so that the others are not waited for
 * with it; why it did not is known all the time.
 */
export class PatientAsker {
  readonly #now: () => number;
  readonly #rests = new Map<string, Rest>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Of those that answer. */
  async each<T>(
    proxies: readonly ProxyRef[],
    ask: (proxy: ProxyRef) => Promise<T>,
  ): Promise<ReadonlyMap<ProxyRef, T>> {
    const awake = proxies.filter(p => (this.#rests.get(keyOf(p))?.untilMs ?? 0) <= this.#now());
    const outcomes = await settleEach(awake, ask);
    const answers = new Map<ProxyRef, T>();
    for (const [i, proxy] of awake.entries()) {
      const outcome = outcomes[i];
      if (outcome?.status === 'fulfilled') {
        answers.set(proxy, outcome.value);
        this.#rests.delete(keyOf(proxy));
      } else if (outcome !== undefined) {
        this.#rest(proxy, errorMessage(outcome.reason));
      }
    }
    return answers;
  }

  /** Why it did not answer the last time; undefined when it did. */
  silence(proxy: ProxyRef): string | undefined {
    return this.#rests.get(keyOf(proxy))?.why;
  }

  /** Those that are gone need no rest. */
  keepOnly(proxies: readonly ProxyRef[]): void {
    const there = new Set(proxies.map(keyOf));
    for (const key of this.#rests.keys()) if (!there.has(key)) this.#rests.delete(key);
  }

  #rest(proxy: ProxyRef, why: string): void {
    const before = this.#rests.get(keyOf(proxy));
    const restMs = Math.min(LONGEST_REST_MS, before === undefined ? FIRST_REST_MS : before.restMs * 2);
    this.#rests.set(keyOf(proxy), { untilMs: this.#now() + restMs, restMs, why });
  }
}

export function keyOf(proxy: ProxyRef): string {
  return `${proxy.namespace}/${proxy.name}`;
}
