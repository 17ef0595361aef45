import type { Cell, CellFamily, MetricSet } from '#shared/observability/metric-set.ts';
import { boundMessage } from './bound-error.ts';
import { createBoundGauges } from './bound-metrics.ts';
import type { ConnectionSettings } from './place-keeper.ts';
import { boundOf } from './places.ts';
import { DIRECTIONS, type Direction, podCountMemory, PodCounts } from './pod-counts.ts';
import { SharedCount } from './shared-count.ts';

interface BookedPod {
  readonly namespace: string;
  readonly name: string;
  readonly counts: PodCounts;
}

/** What the pods of a node have open, as the main thread sees it: it makes the counts, and the traffic threads keep them. */
export class ConnectionBook {
  readonly #settings: ConnectionSettings;
  readonly #used: SharedCount;
  readonly #open: CellFamily;
  readonly #pods = new Map<string, BookedPod>();

  constructor(settings: ConnectionSettings, metrics: MetricSet) {
    this.#settings = settings;
    this.#used = new SharedCount(settings.used, settings.threads, 0);
    const { open, limit } = createBoundGauges(metrics);
    this.#open = open;
    limit.cell(['pod']).value = settings.perPod;
    limit.cell(['node']).value = settings.room;
  }

  /** A pod joins, or joins again. @returns the memory of its counts, which every thread is to share */
  begin(
    uid: string,
    { namespace, name }: { readonly namespace: string; readonly name: string },
  ): SharedArrayBuffer {
    const memory = podCountMemory(this.#settings.threads);
    this.#pods.set(uid, { namespace, name, counts: new PodCounts(memory, this.#settings.threads) });
    return memory;
  }

  /** It takes no more connections. */
  end(uid: string): void {
    const pod = this.#pods.get(uid);
    this.#pods.delete(uid);
    if (pod !== undefined) for (const name of DIRECTIONS) this.#open.remove(labelsOf(pod, name));
  }

  /** A thread has ended, and its connections with it. */
  threadEnded(thread: number): void {
    this.#used.forget(thread);
    for (const { counts } of this.#pods.values()) counts.forget(thread);
  }

  /** Brings the gauges up to date. */
  updateMetrics(): void {
    for (const pod of this.#pods.values())
      for (const name of DIRECTIONS) this.#cell(pod, name).value = pod.counts[name].total;
  }

  /** Of which pods the next connection is refused, and why; a line each. */
  warnings(): string[] {
    const used = this.#used.total;
    return [...this.#pods.values()].flatMap(pod =>
      DIRECTIONS.flatMap(name => {
        // Between two pods of the node a connection takes two places.
        const bound = boundOf(pod.counts[name].total + 1, used + 2, this.#settings);
        if (bound === undefined) return [];
        const who = `${pod.namespace}/${pod.name}`;
        return [`connections are refused: ${boundMessage(bound, who, name, this.#settings)}`];
      }),
    );
  }

  #cell(pod: BookedPod, direction: Direction): Cell {
    return this.#open.cell(labelsOf(pod, direction));
  }
}

function labelsOf({ namespace, name }: BookedPod, direction: Direction): readonly string[] {
  return [namespace, name, direction];
}
