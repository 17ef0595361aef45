import { isKnownIn, type Visibility } from '#shared/workload/visibility.ts';
import { allocateAddresses } from '../translate/service-entry/auto-allocate.ts';
import type { ServiceEntryTranslation } from '../translate/service-entry/service-entry.ts';
import type { KnownService } from '../translate/service-lookup.ts';
import { podsOf, type ServiceSpec } from '../translate/service/service-spec.ts';
import type { ParsedKind } from './parsed-kind.ts';
import { SelectorIndex } from './selector-index.ts';
import { addressWishes } from './service-entries.ts';

interface EntryHost {
  readonly service: KnownService;
  readonly visibility: Visibility;
}

/** The services there are, Services and hosts of ServiceEntries, by what refers to them. */
export class KnownServices {
  readonly #services: ParsedKind<ServiceSpec | undefined>;
  readonly #entries: ParsedKind<ServiceEntryTranslation>;
  /** Services of the cluster. */
  readonly #byHostname = new Map<string, KnownService>();
  /** Hosts of entries, of which several namespaces may have one of the same name. */
  readonly #entryHosts = new Map<string, EntryHost[]>();
  /** By namespace, as of a revision of the Services. */
  readonly #selectors = new Map<
    string,
    { readonly revision: number; readonly index: SelectorIndex<ServiceSpec> }
  >();
  #allocated: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(services: ParsedKind<ServiceSpec | undefined>, entries: ParsedKind<ServiceEntryTranslation>) {
    this.#services = services;
    this.#entries = entries;
  }

  /** After one of them changed: who has which host name and address. */
  refresh(): void {
    this.#byHostname.clear();
    this.#entryHosts.clear();
    for (const { value } of this.#services.all())
      if (value !== undefined) this.#byHostname.set(value.hostname, knownService(value));
    for (const { value } of this.#entries.all()) {
      for (const spec of value.services) this.#addEntryHost(knownService(spec), value.visibility);
    }
    // Not by who came first: every controller, and each proxy, is to take the same one.
    for (const hosts of this.#entryHosts.values()) if (hosts.length > 1) hosts.sort(byNamespace);
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

  /** Of several entries that of the namespace itself, else one that is known there, else the first by name. */
  withHostname(hostname: string, namespace: string): KnownService | undefined {
    const known = this.#byHostname.get(hostname);
    if (known !== undefined) return known;
    const hosts = this.#entryHosts.get(hostname);
    const found =
      hosts?.find(({ service }) => service.namespace === namespace) ??
      hosts?.find(({ service, visibility }) =>
        isKnownIn(namespace, { namespace: service.namespace, visibility }),
      );
    return (found ?? hosts?.[0])?.service;
  }

  /** @param pattern `*.example.com` */
  matching(pattern: string): readonly KnownService[] {
    const suffix = pattern.slice(1);
    const hosts = [...this.#entryHosts.values()].flat().map(({ service }) => service);
    return [...this.#byHostname.values(), ...hosts].filter(({ hostname }) => hostname.endsWith(suffix));
  }

  /** A Service of the cluster is not taken over by an entry of its name; of one namespace the first keeps the host. */
  #addEntryHost(service: KnownService, visibility: Visibility): void {
    const { hostname, namespace } = service;
    if (this.#byHostname.has(hostname)) return;
    const hosts = this.#entryHosts.get(hostname);
    if (hosts === undefined) this.#entryHosts.set(hostname, [{ service, visibility }]);
    else if (hosts.every(other => other.service.namespace !== namespace)) hosts.push({ service, visibility });
  }

  /** Services of the namespace whose selector these labels match. */
  selecting(namespace: string, labels: Readonly<Record<string, string>>): readonly ServiceSpec[] {
    const { revision } = this.#services;
    let known = this.#selectors.get(namespace);
    if (known?.revision !== revision) {
      const specs = [...this.#services.inNamespace(namespace)].flatMap(({ value }) => value ?? []);
      known = { revision, index: new SelectorIndex(specs, podsOf) };
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
    ports: ports.map(({ port }) => port),
    portNames: new Map(ports.flatMap(({ name, port }) => (name === '' ? [] : [[name, port] as const]))),
    headless: clusterIps.length === 0,
  };
}

function byNamespace(a: EntryHost, b: EntryHost): number {
  return a.service.namespace < b.service.namespace ? -1 : 1;
}
