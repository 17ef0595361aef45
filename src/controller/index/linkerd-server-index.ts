import { selectsLabels } from '#shared/kube/label-selector.ts';
import type { HeldServer } from './linkerd-servers.ts';

type Ordered = readonly [order: number, held: HeldServer];

/** Servers of a namespace by one of the labels they select, so that no workload is compared with all of them. */
export class LinkerdServerIndex {
  readonly #byLabel = new Map<string, Ordered[]>();
  /** Those that ask for no label of one value. */
  readonly #others: Ordered[] = [];

  constructor(servers: readonly HeldServer[]) {
    servers.forEach((held, order) => {
      const [first] = held.server.pods?.labels ?? [];
      const key = first && keyOf(...first);
      const known = key === undefined ? this.#others : this.#byLabel.get(key);
      if (known !== undefined) known.push([order, held]);
      else if (key !== undefined) this.#byLabel.set(key, [[order, held]]);
    });
  }

  /** In the order in which they were given. */
  select(labels: Readonly<Record<string, string>>): readonly HeldServer[] {
    const candidates = Object.entries(labels).flatMap(
      ([name, value]) => this.#byLabel.get(keyOf(name, value)) ?? [],
    );
    return [...candidates, ...this.#others]
      .filter(([, { server }]) => server.pods !== undefined && selectsLabels(server.pods, labels))
      .sort(([a], [b]) => a - b)
      .map(([, held]) => held);
  }
}

function keyOf(name: string, value: string): string {
  return `${name}=${value}`;
}
