import { writeFileSync } from 'node:fs';
import { type Netns, openNetns, runInNetns } from '#shared/native/netns.ts';
import {
  type Addresses,
  CONTROL_PLANE,
  nodeAddresses,
  POD_GATEWAY,
  podAddresses,
  podSubnets,
  SERVICE_SUBNETS,
  serviceAddresses,
} from './address-plan.ts';
import type { MeshNetwork, NodeNetwork, PodNetwork } from './mesh-network.ts';
import { ipBatch, runProgram } from './run-program.ts';
import { type ServiceRule, serviceRuleset } from './service-rules.ts';

interface PodLink {
  readonly name: string;
  readonly link: string;
  readonly netns: Netns;
}

/**
 * The playground's wires: one namespace that is the switch between nodes, one for the control plane, one for each node,
 * one for each pod. Pods are routed, not bridged: all their traffic passes their node, as kube-proxy's rules need.
 *
 *     pod ── node-a ── switch ── node-b ── pod
 *                        └── control plane
 */
export class ClusterNetwork implements MeshNetwork {
  readonly #prefix: string;
  readonly #nodes = new Map<string, NodeNetwork>();
  readonly #pods = new Map<PodNetwork, PodLink>();
  readonly #nodeNetns: Netns[] = [];
  /** Ruleset of services by node. */
  readonly #services = new Map<string, string>();
  readonly #podsStarted = new Map<string, number>();
  #switch: Netns | undefined;
  #controlPlane: Netns | undefined;
  #links = 0;

  /** `prefix` names every namespace made here; at most 8 letters. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get controlPlane(): { readonly ip: string; readonly netnsFd: number } {
    if (this.#controlPlane === undefined) throw new Error('the network is not up');
    return { ip: CONTROL_PLANE.ipv4, netnsFd: this.#controlPlane.fd };
  }

  /** Throws when a namespace cannot be made; `close` removes what was. */
  up(nodeNames: readonly string[]): void {
    this.#switch = this.#makeNetns('switch');
    ipBatch(['link add bridge0 type bridge', 'link set bridge0 up'], this.#switch.fd);
    this.#controlPlane = this.#makeNetns('control');
    this.#plug(this.#controlPlane, 'control', CONTROL_PLANE);
    nodeNames.forEach((name, i) => {
      const netns = this.#makeNetns(`node-${i + 1}`);
      this.#nodeNetns.push(netns);
      const addresses = nodeAddresses(i + 1);
      this.#nodes.set(name, { name, number: i + 1, ip: addresses.ipv4, netnsFd: netns.fd });
      this.#plug(netns, `node${i + 1}`, addresses);
      // A packet to a service without endpoints must have a way, or it never meets the rule that refuses it.
      ipBatch(
        [`route add ${SERVICE_SUBNETS.ipv4} dev eth0`, `route add ${SERVICE_SUBNETS.ipv6} dev eth0`],
        netns.fd,
      );
      setSysctl(netns, 'ipv4/ip_forward', '1');
      setSysctl(netns, 'ipv6/conf/all/forwarding', '1');
    });
    this.#routeBetweenNodes();
  }

  get nodes(): readonly NodeNetwork[] {
    return [...this.#nodes.values()];
  }

  node(name: string): NodeNetwork {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}; nodes: ${[...this.#nodes.keys()].join(', ')}`);
    return node;
  }

  /** Port of the switch that a node is plugged into: every packet between that node and another one passes it. */
  switchPort(node: string): { netns: Netns; link: string } {
    if (this.#switch === undefined) throw new Error('the network is not up');
    return { netns: this.#switch, link: `node${this.node(node).number}` };
  }

  addPod(nodeName: string): PodNetwork {
    const node = this.node(nodeName);
    const index = this.#podsStarted.get(nodeName) ?? 0;
    this.#podsStarted.set(nodeName, index + 1);
    const name = `pod-${node.number}-${index}`;
    const addresses = podAddresses(node.number, index);
    const netns = this.#makeNetns(name);
    const { ipv4, ipv6 } = addresses;
    const pod: PodNetwork = { node: nodeName, ips: [ipv4, ipv6], netnsFd: netns.fd, netnsPath: netns.path };
    const link = `pod${this.#links++}`;
    this.#pods.set(pod, { name, link, netns });
    ipBatch(
      [
        `link add ${link} type veth peer eth0 netns ${this.#name(name)}`,
        `addr add ${POD_GATEWAY.ipv4}/32 dev ${link}`,
        `addr add ${POD_GATEWAY.ipv6}/64 dev ${link} nodad`,
        `link set ${link} up`,
        `route add ${addresses.ipv4}/32 dev ${link}`,
        `route add ${addresses.ipv6}/128 dev ${link}`,
      ],
      node.netnsFd,
    );
    ipBatch(
      [
        'link set lo up',
        `addr add ${addresses.ipv4}/32 dev eth0`,
        `addr add ${addresses.ipv6}/128 dev eth0 nodad`,
        'link set eth0 up',
        `route add ${POD_GATEWAY.ipv4}/32 dev eth0`,
        `route add default via ${POD_GATEWAY.ipv4} dev eth0`,
        `route add default via ${POD_GATEWAY.ipv6} dev eth0`,
      ],
      netns.fd,
    );
    return pod;
  }

  /** The namespace itself goes when the last process in it has ended. */
  removePod(pod: PodNetwork): void {
    const made = this.#pods.get(pod);
    if (made === undefined) return;
    this.#pods.delete(pod);
    // First the link: a namespace that somebody still holds open would keep its side, and the address with it.
    ipBatch([`link del ${made.link}`], this.node(pod.node).netnsFd);
    made.netns.close();
    ipBatch([`netns del ${this.#name(made.name)}`]);
  }

  setServices(rules: readonly ServiceRule[]): void {
    const ruleset = serviceRuleset(rules);
    for (const { name, netnsFd } of this.#nodes.values()) {
      if (netnsFd === undefined || this.#services.get(name) === ruleset) continue;
      runProgram('nft', ['-f', '-'], { input: ruleset, netnsFd });
      this.#services.set(name, ruleset);
    }
  }

  serviceAddresses(index: number): Addresses {
    return serviceAddresses(index);
  }

  close(): void {
    for (const { netns } of this.#pods.values()) netns.close();
    for (const netns of this.#nodeNetns) netns.close();
    this.#switch?.close();
    this.#controlPlane?.close();
    removeNamespaces(this.#prefix);
  }

  #plug(netns: Netns, port: string, addresses: Addresses): void {
    if (this.#switch === undefined) throw new Error('the switch is made first');
    const inside = netns.path.split('/').at(-1) ?? '';
    ipBatch(
      [
        `link add ${port} type veth peer eth0 netns ${inside}`,
        `link set ${port} master bridge0`,
        `link set ${port} up`,
      ],
      this.#switch.fd,
    );
    ipBatch(
      [
        'link set lo up',
        `addr add ${addresses.ipv4}/24 dev eth0`,
        `addr add ${addresses.ipv6}/64 dev eth0 nodad`,
        'link set eth0 up',
      ],
      netns.fd,
    );
  }

  #routeBetweenNodes(): void {
    for (const { number } of this.#nodes.values()) {
      const [subnets, gateway] = [podSubnets(number), nodeAddresses(number)];
      const routes = [
        `route add ${subnets.ipv4} via ${gateway.ipv4}`,
        `route add ${subnets.ipv6} via ${gateway.ipv6}`,
      ];
      ipBatch(routes, this.controlPlane.netnsFd);
      for (const other of this.#nodes.values()) if (other.number !== number) ipBatch(routes, other.netnsFd);
    }
  }

  #makeNetns(name: string): Netns {
    ipBatch([`netns add ${this.#name(name)}`]);
    const netns = openNetns(`/run/netns/${this.#name(name)}`);
    // Duplicate address detection would hold up the first IPv6 packets for a second.
    setSysctl(netns, 'ipv6/conf/default/accept_dad', '0');
    return netns;
  }

  #name(part: string): string {
    return `${this.#prefix}-${part}`;
  }
}

/** Removes every namespace of a playground that is gone, or is going. Idempotent. */
export function removeNamespaces(prefix: string): void {
  const names = runProgram('ip', ['netns', 'list'])
    .split('\n')
    .map(line => line.split(' ', 1)[0] ?? '')
    .filter(name => name.startsWith(`${prefix}-`));
  if (names.length > 0) ipBatch(names.map(name => `netns del ${name}`));
}

/** `/proc/sys/net` shows the namespace of the thread that opens it. */
function setSysctl(netns: Netns, name: string, value: string): void {
  runInNetns(netns.fd, () => writeFileSync(`/proc/sys/net/${name}`, value));
}
