import { PrefixTable } from './prefix-table.ts';
import { isKnownIn } from './visibility.ts';
import { serviceName, type NetworkAddress, type Service } from './workload.ts';

/** Services by name, by VIP (exact, then longest prefix) and by host name. */
export class ServiceIndex {
  readonly #byName = new Map<string, Service>();
  readonly #byHostname = new Map<string, Service[]>();
  readonly #byVip = new Map<string, Service[]>();
  readonly #byPrefix = new Map<string, PrefixTable<Service>>();

  get(name: string): Service | undefined {
    return this.#byName.get(name);
  }

  values(): IterableIterator<Service> {
    return this.#byName.values();
  }

  set(service: Service): void {
    const name = serviceName(service);
    this.remove(name);
    this.#byName.set(name, service);
    addTo(this.#byHostname, service.hostname, service);
    for (const address of service.addresses) {
      if (address.prefixLength === undefined)
        addTo(this.#byVip, vipKey(address.network, address.ip), service);
      else this.#prefixesOf(address).add(address.ip, address.prefixLength, service);
    }
  }

  remove(name: string): boolean {
    const service = this.#byName.get(name);
    if (service === undefined) return false;
    this.#byName.delete(name);
    removeFrom(this.#byHostname, service.hostname, service);
    for (const address of service.addresses) {
      if (address.prefixLength === undefined) {
        removeFrom(this.#byVip, vipKey(address.network, address.ip), service);
      } else this.#prefixesOf(address).remove(address.ip, address.prefixLength, service);
    }
    return true;
  }

  /** @param knownIn only what workloads of this namespace know, and of that first what is its own, then the canonical one */
  findByAddress(network: string, ip: string, knownIn?: string): Service | undefined {
    const services = this.#byVip.get(vipKey(network, ip));
    const prefixes = this.#byPrefix.get(network);
    if (services === undefined && prefixes === undefined) return undefined;
    const choose = knownIn === undefined ? first : (some: readonly Service[]) => chooseKnown(some, knownIn);
    return (services && choose(services)) ?? prefixes?.find(ip, choose);
  }

  /** @param knownIn as of `findByAddress` */
  findByHostname(hostname: string, preferredNamespace: string, knownIn?: string): Service | undefined {
    const all = this.#byHostname.get(hostname);
    const services = knownIn === undefined ? all : all?.filter(s => isKnownIn(knownIn, s));
    if (services === undefined) return undefined;
    return (
      services.find(s => s.namespace === preferredNamespace) ?? services.find(s => s.canonical) ?? services[0]
    );
  }

  /** The service whose host is the wildcard nearest to this name: `*.b.test` before `*.test` for `a.b.test`. */
  findByWildcard(hostname: string, preferredNamespace: string, knownIn?: string): Service | undefined {
    for (let dot = hostname.indexOf('.'); dot > 0; dot = hostname.indexOf('.', dot + 1)) {
      const service = this.findByHostname(`*${hostname.slice(dot)}`, preferredNamespace, knownIn);
      if (service !== undefined) return service;
    }
    return undefined;
  }

  #prefixesOf(address: NetworkAddress): PrefixTable<Service> {
    let table = this.#byPrefix.get(address.network);
    if (table === undefined) this.#byPrefix.set(address.network, (table = new PrefixTable(byServiceName)));
    return table;
  }
}

/** A Service of the cluster has its addresses from the cluster; those of an entry are what somebody wrote. */
function first(services: readonly Service[]): Service | undefined {
  return services.find(s => s.canonical) ?? services[0];
}

function chooseKnown(services: readonly Service[], namespace: string): Service | undefined {
  let known: Service | undefined;
  for (const service of services) {
    if (!isKnownIn(namespace, service)) continue;
    if (service.namespace === namespace) return service;
    if (known === undefined || (service.canonical && !known.canonical)) known = service;
  }
  return known;
}

function vipKey(network: string, ip: string): string {
  return `${network}/${ip}`;
}

function byServiceName(a: Service, b: Service): number {
  return serviceName(a) < serviceName(b) ? -1 : 1;
}

function addTo(index: Map<string, Service[]>, key: string, service: Service): void {
  const held = index.get(key);
  if (held === undefined) index.set(key, [service]);
  else {
    held.push(service);
    held.sort(byServiceName);
  }
}

function removeFrom(index: Map<string, Service[]>, key: string, service: Service): void {
  const held = index.get(key);
  const at = held?.indexOf(service) ?? -1;
  if (held === undefined || at < 0) return;
  if (held.length === 1) index.delete(key);
  else held.splice(at, 1);
}
