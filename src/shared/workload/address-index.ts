import { isPod, type Workload } from './workload.ts';

/**
 * Network and IP → workload. While an address is being recycled two workloads may have it for a moment: the one that
 * came last is found, and the other again when that one goes first. A pod goes before all others: anybody may write the
 * address of another one's pod into a WorkloadEntry, an endpoint of a ServiceEntry or an EndpointSlice.
 */
export class AddressIndex {
  readonly #byNetwork = new Map<string, Map<string, Workload | Workload[]>>();

  add(workload: Workload): void {
    if (workload.addresses.length === 0) return;
    let byIp = this.#byNetwork.get(workload.network);
    if (byIp === undefined)
      this.#byNetwork.set(workload.network, (byIp = new Map<string, Workload | Workload[]>()));
    for (const ip of workload.addresses) {
      const held = byIp.get(ip);
      if (held === undefined) byIp.set(ip, workload);
      else if (Array.isArray(held)) held.push(workload);
      else byIp.set(ip, [held, workload]);
    }
  }

  remove(workload: Workload): void {
    const byIp = this.#byNetwork.get(workload.network);
    if (byIp === undefined) return;
    for (const ip of workload.addresses) {
      const held = byIp.get(ip);
      if (held === workload) byIp.delete(ip);
      else if (Array.isArray(held)) {
        const rest = held.filter(other => other !== workload);
        const [only] = rest;
        byIp.set(ip, rest.length === 1 && only !== undefined ? only : rest);
      }
    }
    if (byIp.size === 0) this.#byNetwork.delete(workload.network);
  }

  find(network: string, ip: string): Workload | undefined {
    const held = this.#byNetwork.get(network)?.get(ip);
    return Array.isArray(held) ? (held.findLast(isPod) ?? held.at(-1)) : held;
  }
}
