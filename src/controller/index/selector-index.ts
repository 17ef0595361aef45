import { type Labels, type LabelSelector, selectsLabels } from '#shared/kube/label-selector.ts';
import { addTo } from './multimap.ts';

interface Entry<T> {
  readonly order: number;
  readonly pods: LabelSelector;
  readonly item: T;
}

/** What selects pods of a namespace, by one of the labels it asks for, so that no workload is compared with all of it. */
export class SelectorIndex<T> {
  readonly #byLabel = new Map<string, Entry<T>[]>();
  /** Those that ask for no label of one value. */
  readonly #others: Entry<T>[] = [];

  /** @param podsOf undefined: it selects none */
  constructor(items: readonly T[], podsOf: (item: T) => LabelSelector | undefined) {
    items.forEach((item, order) => {
      const pods = podsOf(item);
      if (pods === undefined) return;
      const [label] = pods.labels;
      const entry = { order, pods, item };
      if (label === undefined) this.#others.push(entry);
      else addTo(this.#byLabel, keyOf(...label), entry);
    });
  }

  /** In the order in which they were given. */
  select(labels: Labels): readonly T[] {
    const found = this.#others.filter(({ pods }) => selectsLabels(pods, labels));
    for (const [name, value] of Object.entries(labels)) {
      for (const entry of this.#byLabel.get(keyOf(name, value)) ?? [])
        if (selectsLabels(entry.pods, labels)) found.push(entry);
    }
    return found.sort((a, b) => a.order - b.order).map(({ item }) => item);
  }
}

function keyOf(name: string, value: string): string {
  return `${name}=${value}`;
}
