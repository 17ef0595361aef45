import { increases } from '../../traffic/increases.ts';
import type { Sample } from '../../traffic/prometheus-text.ts';
import {
  addCount,
  countFlow,
  emptyCount,
  type Flow,
  type FlowCount,
  flowOf,
  isQuiet,
  openConnections,
} from './flow.ts';

/** What one proxy answered. */
export interface Scrape {
  /** `<namespace>/<pod>`, by which a waypoint is known. */
  readonly pod: string;
  readonly atMs: number;
  readonly samples: readonly Sample[];
}

export interface CountedFlow {
  readonly flow: Flow;
  readonly count: FlowCount;
  /** Connections that are open now. */
  readonly open: number;
  /** What policy refused, as long as is remembered. */
  readonly denied: number;
}

/** What passed over some time. */
export interface Traffic {
  readonly atMs: number;
  readonly seconds: number;
  readonly flows: readonly CountedFlow[];
}

export interface TrafficLimits {
  /** Rates are over so long. */
  readonly windowMs: number;
  /** So long a flow is told of after its last sign of life. */
  readonly memoryMs: number;
  /** So many flows are followed; the rest is left out. */
  readonly maxFlows: number;
}

interface Tick {
  readonly fromMs: number;
  readonly atMs: number;
  readonly counts: ReadonlyMap<string, FlowCount>;
}

interface Denials {
  readonly atMs: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** A proxy that was not heard of for so long starts anew: what came meanwhile would all seem to have come at once. */
const MAX_GAP_MS = 60_000;

/** Counters of all proxies, as they are read again and again. It has no clock: what it is told says when. */
export class TrafficLog {
  readonly #limits: TrafficLimits;
  readonly #last = new Map<string, Scrape>();
  readonly #flows = new Map<string, Flow>();
  /** Labels are the same object as long as their series goes on. */
  readonly #flowOfLabels = new WeakMap<ReadonlyMap<string, string>, Flow>();
  /** When something last passed, or was open. */
  readonly #seen = new Map<string, number>();
  #ticks: Tick[] = [];
  #denials: Denials[] = [];
  #open = new Map<string, number>();
  #lastMs: number | undefined;

  constructor(limits: TrafficLimits) {
    this.#limits = limits;
  }

  /** By the proxy's name, for its next answer to be read with. */
  lastSamples(proxy: string): readonly Sample[] {
    return this.#last.get(proxy)?.samples ?? [];
  }

  /** Some flows were left out. */
  get isFull(): boolean {
    return this.#flows.size >= this.#limits.maxFlows;
  }

  /** @param scrapes of the proxies that answered, by name. @returns what passed since the last call; undefined at the first one */
  record(atMs: number, scrapes: ReadonlyMap<string, Scrape>): Traffic | undefined {
    const counts = new Map<string, FlowCount>();
    for (const [proxy, scrape] of scrapes) {
      const last = this.#last.get(proxy);
      if (last !== undefined && scrape.atMs - last.atMs <= MAX_GAP_MS)
        for (const sample of increases(last.samples, scrape.samples)) this.#count(counts, sample, scrape.pod);
      this.#last.set(proxy, scrape);
    }
    for (const [proxy, { atMs: at }] of this.#last) if (atMs - at > MAX_GAP_MS) this.#last.delete(proxy);
    this.#open = this.#openNow();
    const fromMs = this.#lastMs;
    this.#lastMs = atMs;
    if (fromMs === undefined) return undefined;
    const tick = { fromMs, atMs, counts: withoutQuiet(counts) };
    const { memoryMs, windowMs } = this.#limits;
    this.#ticks = [...this.#ticks.filter(t => atMs - t.fromMs <= windowMs), tick];
    this.#denials = [...this.#denials.filter(d => atMs - d.atMs < memoryMs), denialsOf(tick)];
    this.#forgetFlows(atMs);
    return this.#traffic([tick]);
  }

  /** Over the window, or as much of it as has passed. */
  window(): Traffic {
    return this.#traffic(this.#ticks);
  }

  #traffic(ticks: readonly Tick[]): Traffic {
    const sums = new Map<string, FlowCount>();
    for (const { counts } of ticks) {
      for (const [key, count] of counts) {
        const sum = sums.get(key) ?? emptyCount();
        addCount(sum, count);
        sums.set(key, sum);
      }
    }
    const denied = this.#denied();
    const flows = [...this.#flows].map(([key, flow]) => ({
      flow,
      count: sums.get(key) ?? emptyCount(),
      open: this.#open.get(key) ?? 0,
      denied: denied.get(key) ?? 0,
    }));
    const [first, last] = [ticks[0], ticks.at(-1)];
    const seconds = first === undefined || last === undefined ? 0 : (last.atMs - first.fromMs) / 1_000;
    return { atMs: last?.atMs ?? this.#lastMs ?? 0, seconds, flows };
  }

  #count(counts: Map<string, FlowCount>, sample: Sample, pod: string): void {
    const flow = this.#flow(sample, pod);
    if (flow === undefined) return;
    const count = counts.get(flow.key) ?? emptyCount();
    counts.set(flow.key, count);
    countFlow(count, sample);
  }

  #flow({ labels }: Sample, pod: string): Flow | undefined {
    const known = this.#flowOfLabels.get(labels);
    if (known !== undefined && this.#flows.has(known.key)) return known;
    const flow = flowOf(labels, pod);
    if (this.isFull && !this.#flows.has(flow.key)) return undefined;
    this.#flowOfLabels.set(labels, flow);
    this.#flows.set(flow.key, flow);
    return flow;
  }

  #openNow(): Map<string, number> {
    const open = new Map<string, number>();
    for (const { pod, samples } of this.#last.values()) {
      for (const sample of samples) {
        const more = openConnections(sample);
        const flow = more === 0 ? undefined : this.#flow(sample, pod);
        if (flow !== undefined) open.set(flow.key, (open.get(flow.key) ?? 0) + more);
      }
    }
    return new Map([...open].filter(([, count]) => count > 0));
  }

  #denied(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { counts } of this.#denials)
      for (const [key, count] of counts) sums.set(key, (sums.get(key) ?? 0) + count);
    return sums;
  }

  #forgetFlows(atMs: number): void {
    for (const key of [...(this.#ticks.at(-1)?.counts.keys() ?? []), ...this.#open.keys()])
      this.#seen.set(key, atMs);
    for (const key of this.#flows.keys()) {
      if (atMs - (this.#seen.get(key) ?? Number.NEGATIVE_INFINITY) <= this.#limits.memoryMs) continue;
      this.#flows.delete(key);
      this.#seen.delete(key);
    }
  }
}

function denialsOf({ atMs, counts }: Tick): Denials {
  const denied = [...counts].filter(([, count]) => count.denied > 0);
  return { atMs, counts: new Map(denied.map(([key, count]) => [key, count.denied])) };
}

function withoutQuiet(counts: ReadonlyMap<string, FlowCount>): Map<string, FlowCount> {
  return new Map([...counts].filter(([, count]) => !isQuiet(count)));
}
