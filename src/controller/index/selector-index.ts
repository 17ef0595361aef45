import { isSelected } from '../translate/pod-to-workload/pod-to-workload.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';

/** Services of a namespace by one of the labels they select, so that no workload is compared with all of them. */
export class SelectorIndex {
  readonly #byLabel = new Map<string, (readonly [order: number, service: ServiceSpec])[]>();

  constructor(services: Iterable<ServiceSpec>) {
    let order = 0;
    for (const service of services) {
      const [first] = service.selector;
      // Without a selector a Service has no pods of its own.
      if (first === undefined) continue;
      const key = keyOf(...first);
      const known = this.#byLabel.get(key);
      const entry = [order++, service] as const;
      if (known === undefined) this.#byLabel.set(key, [entry]);
      else known.push(entry);
    }
  }

  /** In the order in which the Services were given. */
  select(labels: Readonly<Record<string, string>>): readonly ServiceSpec[] {
    const found: (readonly [number, ServiceSpec])[] = [];
    for (const [name, value] of Object.entries(labels)) {
      for (const entry of this.#byLabel.get(keyOf(name, value)) ?? [])
        if (isSelected(entry[1].selector, labels)) found.push(entry);
    }
    return found.sort(([a], [b]) => a - b).map(([, service]) => service);
  }
}

function keyOf(name: string, value: string): string {
  return `${name}=${value}`;
}
