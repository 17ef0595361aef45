import type { ServiceRule } from './service-rules.ts';

export interface NodeNetwork {
  readonly name: string;
  /** 1 for the first. */
  readonly number: number;
  readonly ip: string;
  /** Undefined: the playground's own namespace. */
  readonly netnsFd: number | undefined;
}

export interface PodNetwork {
  readonly node: string;
  /** IPv4 first. */
  readonly ips: readonly [ipv4: string, ...others: string[]];
  readonly netnsFd: number | undefined;
  /** As a container runtime tells it; undefined where pods share the playground's namespace. */
  readonly netnsPath: string | undefined;
}

export interface ServiceAddresses {
  readonly ipv4: string;
  /** Undefined where the network has no IPv6. */
  readonly ipv6: string | undefined;
}

/** How pods, nodes and services reach each other: network namespaces, or addresses of the loopback range. */
export interface MeshNetwork {
  /** Throws when the machine does not allow it; `close` removes what was made. */
  up(nodeNames: readonly string[]): void;
  readonly nodes: readonly NodeNetwork[];
  /** Throws when there is no such node. */
  node(name: string): NodeNetwork;
  readonly controlPlane: { readonly ip: string; readonly netnsFd: number | undefined };
  addPod(node: string): PodNetwork;
  removePod(pod: PodNetwork): void;
  /** Where cluster IPs lead for pods outside the mesh. Cheap when nothing changed. */
  setServices(rules: readonly ServiceRule[]): void;
  /** Cluster IPs of the n-th service, from 0. */
  serviceAddresses(index: number): ServiceAddresses;
  close(): void;
}
