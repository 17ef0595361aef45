import { allocateAddresses } from '../translate/service-entry/auto-allocate.ts';
import type { ServiceEntryTranslation } from '../translate/service-entry/service-entry.ts';
import type { KnownService } from '../translate/service-lookup.ts';
import type { ServiceSpec } from '../translate/service/service-spec.ts';
import type { ParsedKind } from './parsed-kind.ts';
import { SelectorIndex } from './selector-index.ts';
import { addressWishes } from './service-entries.ts';

/** The services there are, Services and hosts of ServiceEntries, by what refers to them. */
export class KnownServices {
  readonly #services: ParsedKind<ServiceSpec | undefined>;
  readonly #entries: ParsedKind<ServiceEntryTranslation>;
  readonly #byHostname = new Map<string, KnownService>();
  /** By namespace, as of a revision of the Services. */
  readonly #selectors = new Map<string, { readonly revision: number; readonly index: SelectorIndex }>();
  #allocated: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(services: ParsedKind<ServiceSpec | undefined>, entries: ParsedKind<ServiceEntryTranslation>) {
    this.#services = services;
    this.#entries = entries;
  }

  /** After one of them changed: who has which host name and address. */
  refresh(): void {
    this.#byHostname.clear();
    for (const { value } of this.#services.all())
      if (value !== undefined) this.#byHostname.set(value.hostname, knownService(value));
    for (const { value } of this.#entries.all()) {
      for (const spec of value.services) {
        // A Service of the cluster is not taken over by an entry of its name; of entries the first keeps the host.
        if (!this.#byHostname.has(spec.hostname)) this.#byHostname.set(spec.hostname, knownService(spec));
      }
    }
    this.#allocated = allocateAddresses(addressWishes(this.#entries.all()));
  }

  /** A Service of the cluster. */
  named(namespace: string, name: string): KnownService | undefined {
    const spec = this.#services.get(namespace, name)?.value;
    return spec && knownService(spec);
  }

  /** The hosts of a ServiceEntry. */
  entry(namespace: string, name: string): readonly KnownService[] | undefined {
    return this.#entries.get(namespace, name)?.value?.services.map(knownService);
  }

  withHostname(hostname: string): KnownService | undefined {
    return this.#byHostname.get(hostname);
  }

  /** @param pattern `*.example.com` */
  matching(pattern: string): readonly KnownService[] {
    const suffix = pattern.slice(1);
    return [...this.#byHostname.values()].filter(({ hostname }) => hostname.endsWith(suffix));
  }

  /** Services of the namespace whose selector these labels match. */
  selecting(namespace: string, labels: Readonly<Record<string, string>>): readonly ServiceSpec[] {
    const { revision } = this.#services;
    let known = this.#selectors.get(namespace);
    if (known?.revision !== revision) {
      const specs = [...this.#services.inNamespace(namespace)].flatMap(({ value }) => value ?? []);
      known = { revision, index: new SelectorIndex(specs) };
      this.#selectors.set(namespace, known);
    }
    return known.index.select(labels);
  }

  /** Addresses of a host of a ServiceEntry: its own, or those it was given. */
  addressesOf(spec: ServiceSpec): readonly string[] {
    if (spec.clusterIps.length > 0) return spec.clusterIps;
    return this.#allocated.get(`${spec.namespace}/${spec.name}/${spec.hostname}`) ?? [];
  }
}

function knownService({ clusterIps, hostname, namespace, ports }: ServiceSpec): KnownService {
  return {
    key: `${namespace}/${hostname}`,
    namespace,
    hostname,
    ports: ports.map(port => port.port),
    headless: clusterIps.length === 0,
  };
}
