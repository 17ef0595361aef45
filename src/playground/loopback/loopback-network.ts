import { renameSync, writeFileSync } from 'node:fs';
import type { MeshNetwork, NodeNetwork, PodNetwork, ServiceAddresses } from '../network/mesh-network.ts';
import type { ServiceRule } from '../network/service-rules.ts';
import {
  chooseRange,
  controllerAddress,
  type LoopbackRange,
  nodeAddress,
  podAddress,
  serviceAddress,
} from './loopback-range.ts';
import { type Endpoint, formatLoopbackFile } from './pod-view.ts';

/**
 * Pods as addresses of the loopback range, where the machine allows no network namespaces. Nobody routes between them: the
 * programs of pods are loaded with `socks5-preload.ts`, which reads from one file where services and the mesh are.
 */
export class LoopbackNetwork implements MeshNetwork {
  readonly #file: string;
  readonly #range: LoopbackRange;
  readonly #nodes = new Map<string, NodeNetwork>();
  readonly #podsStarted = new Map<string, number>();
  readonly #socks5 = new Map<string, number>();
  #services = new Map<string, readonly Endpoint[]>();
  #written = '';

  /** `file` is what programs of pods read. */
  constructor(file: string, range: LoopbackRange = chooseRange()) {
    this.#file = file;
    this.#range = range;
  }

  up(nodeNames: readonly string[]): void {
    nodeNames.forEach((name, i) => {
      const number = i + 1;
      this.#nodes.set(name, { name, number, ip: nodeAddress(this.#range, number), netnsFd: undefined });
    });
    this.#write();
  }

  get controlPlane(): MeshNetwork['controlPlane'] {
    return { ip: controllerAddress(this.#range), netnsFd: undefined };
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
    const { number } = this.node(nodeName);
    const index = this.#podsStarted.get(nodeName) ?? 0;
    this.#podsStarted.set(nodeName, index + 1);
    const ip = podAddress(this.#range, number, index);
    return { node: nodeName, ips: [ip], netnsFd: undefined, netnsPath: undefined };
  }

  removePod(pod: PodNetwork): void {
    this.leaveMesh(pod);
  }

  setServices(rules: readonly ServiceRule[]): void {
    this.#services = new Map(
      rules.map(({ clusterIp, port, endpoints }) => [`${clusterIp}:${port}`, endpoints]),
    );
    this.#write();
  }

  serviceAddresses(index: number): ServiceAddresses {
    return { ipv4: serviceAddress(this.#range, index), ipv6: undefined };
  }

  /** From now on the programs of the pod connect by SOCKS5, on this port of the pod's address. */
  joinMesh(pod: PodNetwork, socks5Port: number): void {
    this.#socks5.set(pod.ips[0], socks5Port);
    this.#write();
  }

  /** New connections of its programs are its own from now on. */
  leaveMesh(pod: PodNetwork): void {
    this.#socks5.delete(pod.ips[0]);
    this.#write();
  }

  close(): void {
    this.#nodes.clear();
  }

  /** Whole or not at all: programs read it while it changes. */
  #write(): void {
    const text = formatLoopbackFile(this.#services, this.#socks5);
    if (text === this.#written) return;
    writeFileSync(`${this.#file}.tmp`, text);
    renameSync(`${this.#file}.tmp`, this.#file);
    this.#written = text;
  }
}
