import type { MeshNetwork, NodeNetwork, PodNetwork } from '../network/mesh-network.ts';
import type { ServiceRule } from '../network/service-rules.ts';
import { ServiceRelay } from './service-relay.ts';

/**
 * Pods as addresses of the loopback range, where the machine allows no network namespaces: nodes 127.18.0.0/24, pods of
 * node n 127.244.n.0/24, services of pod p 127.100.p.0/24. Capture is by SOCKS5: a service's name stands, in each pod, for an
 * address at which a relay takes connections to it into the pod's own ztunnel, or for a pod outside the mesh to an endpoint.
 * What a pod dials by another pod's address is not captured.
 */
export class LoopbackNetwork implements MeshNetwork {
  readonly controlPlane = { ip: '127.18.0.10', netnsFd: undefined };
  readonly #nodes = new Map<string, NodeNetwork>();
  readonly #relays = new Map<PodNetwork, { readonly index: number; readonly relay: ServiceRelay }>();
  #started = 0;
  #rules: readonly ServiceRule[] = [];

  up(nodeNames: readonly string[]): void {
    nodeNames.forEach((name, i) => {
      this.#nodes.set(name, { name, number: i + 1, ip: `127.18.0.${11 + i}`, netnsFd: undefined });
    });
  }

  get nodes(): readonly NodeNetwork[] {
    return [...this.#nodes.values()];
  }

  node(name: string): NodeNetwork {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}; nodes: ${[...this.#nodes.keys()].join(', ')}`);
    return node;
  }

  addPod(nodeName: string): PodNetwork {
    const index = this.#started++ % MAX_PODS;
    const ip = `127.244.${this.node(nodeName).number}.${FIRST_POD + index}`;
    const pod: PodNetwork = { node: nodeName, ips: [ip], netnsFd: undefined, netnsPath: undefined };
    const relay = new ServiceRelay(ip, clusterIp => this.serviceAddress(pod, clusterIp));
    this.#relays.set(pod, { index, relay });
    relay.setServices(this.#rules);
    return pod;
  }

  removePod(pod: PodNetwork): void {
    this.#relays.get(pod)?.relay.close();
    this.#relays.delete(pod);
  }

  setServices(rules: readonly ServiceRule[]): void {
    this.#rules = rules;
    for (const { relay } of this.#relays.values()) relay.setServices(rules);
  }

  serviceAddress(pod: PodNetwork, clusterIp: string): string {
    const index = this.#relays.get(pod)?.index ?? 0;
    return `127.100.${FIRST_POD + index}.${clusterIp.split('.').at(-1)}`;
  }

  /** From now on what the pod dials by a service's name goes into the mesh, by SOCKS5 on this port of the pod's address. */
  joinMesh(pod: PodNetwork, socks5Port: number): void {
    this.#relays.get(pod)?.relay.useSocks5(socks5Port);
  }

  close(): void {
    for (const { relay } of this.#relays.values()) relay.close();
    this.#relays.clear();
  }
}

const MAX_PODS = 240;
const FIRST_POD = 2;
