import { type FSWatcher, mkdirSync, watch, writeFileSync } from 'node:fs';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { MeshNetwork, PodNetwork } from '../network/mesh-network.ts';
import type { ServiceRule } from '../network/service-rules.ts';
import {
  type EndpointPod,
  endpointSlices,
  targetPortOf,
  isManagedSlice,
  selectedPods,
} from '../objects/endpoint-slices.ts';
import { hostsFile } from '../objects/hosts-file.ts';
import { type KubeObject, labels, type ObjectRef, refKey } from '../objects/kube-object.ts';
import type { ObjectStore } from '../objects/object-store.ts';
import { type PodSpec, podSpec, runsTheSame } from '../objects/pod-spec.ts';
import { isReportedReady, withPodStatus } from '../objects/pod-status.ts';
import { allocateClusterIps, type ServiceSpec, serviceSpec } from '../objects/service-spec.ts';
import { isWaypointGateway, isWaypointObject, waypointObjects } from '../objects/waypoint-objects.ts';
import type { StateLayout } from '../state-layout.ts';
import type { PodCapture } from './pod-capture.ts';
import { RunningPod } from './running-pod.ts';

/** How long after a change the cluster looks; several changes at once are one. */
const SETTLE_MS = 5;
/** Ports that begin to listen, and what a watch has missed, are found at this pace. */
const LOOK_AGAIN_MS = 100;

export interface ClusterOptions {
  readonly layout: StateLayout;
  readonly store: ObjectStore;
  readonly network: MeshNetwork;
  readonly capture: PodCapture;
  readonly clock: Clock;
  /** Makes the program of a pod. */
  readonly podProgram: (pod: PodSpec, place: PodNetwork) => RunningPod['program'];
  /** The pod `<namespace>/<name>` has ended for good. */
  readonly podGone: (name: string) => void;
  /** One line for the operator. */
  readonly report: (line: string) => void;
}

/**
 * What a cluster does beside the mesh: starts pods and tells their state, gives addresses to services, names their
 * endpoints, makes waypoints of Gateways. Level-triggered: each look takes the objects as they are now.
 */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #pods = new Map<string, RunningPod>();
  readonly #watchers: FSWatcher[] = [];
  readonly #hosts = new Map<string, string>();
  readonly #problems = new Map<string, string>();
  #services: readonly ServiceSpec[] = [];
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #changedMeanwhile = false;
  #closed = false;
  #nextNode = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  start(): void {
    const { layout, network } = this.#options;
    const directories = [layout.objects, ...network.nodes.map(node => layout.podsOf(node.name))];
    for (const directory of directories) {
      mkdirSync(directory, { recursive: true });
      this.#watchers.push(watch(directory, () => this.#lookIn(SETTLE_MS)));
    }
    this.#lookIn(0);
  }

  /** Ends every pod. The network is left to its owner. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers) watcher.close();
    await this.#looking;
    await Promise.all([...this.#pods.values()].map(pod => pod.remove()));
    this.#pods.clear();
  }

  /** `<namespace>/<name>` */
  pod(name: string): RunningPod {
    const pod = this.#pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name}; pods: ${[...this.#pods.keys()].join(', ')}`);
    return pod;
  }

  pods(): ReadonlyMap<string, RunningPod> {
    return this.#pods;
  }

  /** Why the cluster is not what the objects say; empty when every pod is ready. */
  unsettled(): string[] {
    const reasons = [...this.#problems.values()];
    for (const object of this.#options.store.list('Pod')) {
      const name = `${object.namespace}/${object.name}`;
      const pod = this.#pods.get(name);
      if (pod === undefined) reasons.push(`pod ${name} has not been started`);
      else if (!isReportedReady(object)) reasons.push(`pod ${name} is not ready: ${whyNotReady(pod)}`);
    }
    return reasons;
  }

  #lookIn(delayMs: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(delayMs, () => {
      this.#changedMeanwhile = true;
      if (this.#looking !== undefined) return;
      this.#changedMeanwhile = false;
      this.#looking = this.#look()
        .catch((error: unknown) => this.#problem('cluster', error))
        .finally(() => {
          this.#looking = undefined;
          this.#lookIn(this.#changedMeanwhile ? 0 : LOOK_AGAIN_MS);
        });
    });
  }

  async #look(): Promise<void> {
    const { store, network } = this.#options;
    this.#problems.delete('cluster');
    this.#problems.delete('objects');
    for (const problem of store.refresh()) this.#problem('objects', new Error(problem));
    this.#keepWaypoints();
    const addresses = (index: number) => network.serviceAddresses(index);
    for (const service of allocateClusterIps(store.list('Service'), addresses)) store.put(service);
    this.#services = store.list('Service').map(serviceSpec);
    await this.#stopOldPods();
    for (const object of store.list('Pod')) this.#keepPod(object);
    this.#keepEndpoints(this.#services);
  }

  #keepWaypoints(): void {
    const { store } = this.#options;
    const wanted = store
      .list('Gateway')
      .filter(isWaypointGateway)
      .flatMap(gateway => waypointObjects(gateway, this.#placeWaypoint(gateway)));
    for (const object of wanted) if (store.get(object) === undefined) store.put(object);
    const keys = new Set(wanted.map(refKey));
    for (const kind of ['Pod', 'Service', 'ServiceAccount']) {
      for (const object of store.list(kind)) {
        if (isWaypointObject(object) && !keys.has(refKey(object))) store.remove(object);
      }
    }
  }

  #placeWaypoint(gateway: KubeObject): string {
    const { network } = this.#options;
    const index = this.#options.store.list('Gateway').indexOf(gateway);
    // The last node first: in the shop the callers are on the first one, so that the tunnel crosses the wire.
    return network.nodes.at(-1 - (index % network.nodes.length))?.name ?? '';
  }

  async #stopOldPods(): Promise<void> {
    const { store, network, podGone } = this.#options;
    const wanted = new Map(store.list('Pod').map(pod => [`${pod.namespace}/${pod.name}`, pod]));
    const stopping = [...this.#pods].filter(([name, pod]) => {
      const object = wanted.get(name);
      return object === undefined || !this.#sameProgram(object, pod.spec);
    });
    for (const [name] of stopping) this.#pods.delete(name);
    await Promise.all(
      stopping.map(async ([name, pod]) => {
        await pod.remove();
        network.removePod(pod.network);
        this.#hosts.delete(name);
        podGone(name);
      }),
    );
  }

  /** A pod that is wrong now keeps running as it was. */
  #sameProgram(object: KubeObject, running: PodSpec): boolean {
    try {
      const spec = podSpec(object);
      return runsTheSame({ ...spec, nodeName: spec.nodeName ?? running.nodeName }, running);
    } catch {
      return true;
    }
  }

  #keepPod(object: KubeObject): void {
    const { store } = this.#options;
    const name = `${object.namespace}/${object.name}`;
    try {
      const spec = podSpec(object);
      const pod = this.#pods.get(name) ?? this.#createPod(name, spec);
      pod.spec = { ...spec, nodeName: pod.network.node };
      pod.describe(this.#namespaceLabels(spec.namespace));
      this.#keepHosts(name);
      pod.startWhenDecided();
      store.put(
        withPodStatus(object, {
          uid: pod.uid,
          nodeName: pod.network.node,
          podIps: pod.network.ips,
          hostIp: this.#options.network.node(pod.network.node).ip,
          ready: pod.ready(),
          captured: pod.captureState().state === 'enrolled',
        }),
      );
      this.#problems.delete(name);
    } catch (error) {
      this.#problem(name, error);
    }
  }

  #createPod(name: string, spec: PodSpec): RunningPod {
    const { network, capture, podProgram } = this.#options;
    const nodeName = spec.nodeName ?? network.nodes[this.#nextNode++ % network.nodes.length]?.name ?? '';
    const place = network.addPod(nodeName);
    this.#keepHosts(name);
    const pod = new RunningPod(spec, place, podProgram(spec, place), capture);
    this.#pods.set(name, pod);
    return pod;
  }

  #namespaceLabels(namespace: string): Record<string, string> {
    const ref: ObjectRef = { kind: 'Namespace', namespace: '', name: namespace };
    const object = this.#options.store.get(ref);
    return object === undefined ? {} : labels(object);
  }

  /** Written in place: the file is mounted in the pod, and a renamed one would not be the pod's. */
  #keepHosts(pod: string): void {
    const { layout } = this.#options;
    const [namespace = ''] = pod.split('/');
    const text = hostsFile(namespace, this.#services);
    if (this.#hosts.get(pod) === text) return;
    writeFileSync(layout.hostsOf(pod), text);
    this.#hosts.set(pod, text);
  }

  #keepEndpoints(services: readonly ServiceSpec[]): void {
    const { store, network } = this.#options;
    const pods = [...this.#pods.values()].map(endpointPod);
    const slices = endpointSlices(services, pods);
    const keys = new Set(slices.map(refKey));
    for (const slice of slices) store.put(slice);
    for (const old of store.list('EndpointSlice')) {
      if (isManagedSlice(old) && !keys.has(refKey(old))) store.remove(old);
    }
    network.setServices(services.flatMap(service => serviceRules(service, pods)));
  }

  #problem(key: string, error: unknown): void {
    const message = errorMessage(error);
    if (this.#problems.get(key) === message) return;
    this.#problems.set(key, message);
    this.#options.report(message);
  }
}

function whyNotReady(pod: RunningPod): string {
  const { state, message } = pod.captureState();
  if (state === 'unknown' || state === 'failed') return `its traffic is not captured yet: ${message}`;
  return pod.program.describe();
}

function endpointPod(pod: RunningPod): EndpointPod {
  const { name, namespace, labels: own, namedPorts } = pod.spec;
  const { node, ips } = pod.network;
  return { name, namespace, labels: own, nodeName: node, ips, ready: pod.ready(), namedPorts };
}

function serviceRules(service: ServiceSpec, pods: readonly EndpointPod[]): ServiceRule[] {
  const ready = selectedPods(service, pods).filter(pod => pod.ready);
  return service.clusterIps.flatMap(clusterIp => {
    const v6 = clusterIp.includes(':');
    return service.ports
      .filter(port => port.protocol === 'TCP')
      .map(servicePort => ({
        clusterIp,
        port: servicePort.port,
        endpoints: ready.flatMap(pod => {
          const port = targetPortOf(servicePort, pod);
          if (port === undefined) return [];
          return pod.ips.filter(ip => ip.includes(':') === v6).map(ip => ({ ip, port }));
        }),
      }));
  });
}
