import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { nameKey } from '#shared/kube/known-versions.ts';
import { type KubeResource, objectPath } from '#shared/kube/resource.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { LocalPod, PodSource, PodStatus } from '../local-pod.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { type NamespaceLabels, parseKubeNamespace } from './kube-namespace.ts';
import { type KubePod, parseKubePod } from './kube-pod.ts';
import { type KnownPods, localPods, namespaceKey, withoutNetns } from './local-pods.ts';
import type { FindNetns } from './netns-finder.ts';
import { isAlive, type PodNetns } from './pod-netns.ts';
import type { PodSnapshot } from './pod-snapshot.ts';
import { PodStatusWriter } from './pod-status-writer.ts';
import { WatchedSet } from './watched-set.ts';

export interface KubernetesPodSourceOptions {
  readonly api: KubeApi;
  readonly nodeName: string;
  readonly rules: CaptureRules;
  readonly findNetns: FindNetns;
  /** Undefined: nothing is kept for a start without the API server. */
  readonly snapshot: PodSnapshot | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** A pod whose sandbox the container runtime is making, as the CNI plugin tells. */
export interface StartingPod {
  readonly runtimeUid: string;
  readonly namespace: string;
  readonly name: string;
  readonly netns: PodNetns;
}

/** How often namespaces that should be there are looked for, and those that are known are looked at. */
const NETNS_INTERVAL_MS = 1_000;
/** A pod that the CNI plugin told of, and that the watch does not know by then, is not coming. */
const ADMITTED_MS = 60_000;
const PODS: KubeResource = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const NAMESPACES: KubeResource = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
};
const NO_POD = 'the API server has no such pod';

/**
 * The pods of one node, from the API server. Their network namespaces come from the CNI plugin's calls (`admit`), or are
 * looked for among the node's processes.
 */
export class KubernetesPodSource implements PodSource {
  readonly #options: KubernetesPodSourceOptions;
  readonly #logger: Logger;
  readonly #pods: WatchedSet<KubePod>;
  readonly #namespaces: WatchedSet<NamespaceLabels>;
  readonly #writer: PodStatusWriter;
  readonly #netns = new Map<string, PodNetns>();
  readonly #lost = new Set<string>();
  /** Pods and namespaces that were asked for before the watch told of them. */
  readonly #early = { pods: new Map<string, KubePod>(), namespaces: new Map<string, NamespaceLabels>() };
  readonly #known = Promise.withResolvers<void>();
  #published: ReadonlyMap<string, LocalPod> = new Map();
  #onPods: ((pods: ReadonlyMap<string, LocalPod>) => void) | undefined;
  #isSynced = false;
  #isAnnounced = false;
  /** Runtime uids of pods whose namespace was not found at the last look. */
  #soughtInVain: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: KubernetesPodSourceOptions) {
    this.#options = options;
    this.#logger = options.logger.child('pod_source');
    const { api, nodeName } = options;
    this.#pods = new WatchedSet({
      ...options,
      resource: PODS,
      fieldSelector: `spec.nodeName=${nodeName}`,
      parse: parseKubePod,
      onChange: () => this.#changed(),
    });
    this.#namespaces = new WatchedSet({
      ...options,
      resource: NAMESPACES,
      metadataOnly: true,
      parse: parseKubeNamespace,
      onChange: () => this.#changed(),
    });
    this.#writer = new PodStatusWriter({ ...options, api, pod: uid => this.#podOf(uid) });
  }

  /**
   * Resolves when the pods are known: from the API server, or, while it cannot be reached, those that an earlier ztunnel
   * has left a note of and whose namespaces are still there.
   */
  async start(onPods: (pods: ReadonlyMap<string, LocalPod>) => void): Promise<void> {
    this.#onPods = onPods;
    for (const { pod, netns, runtimeUid } of (await this.#options.snapshot?.read()) ?? []) {
      if (!isAlive(netns)) continue;
      this.#netns.set(runtimeUid, netns);
      this.#published = new Map([...this.#published, [pod.uid, pod]]);
    }
    if (this.#published.size > 0) {
      this.#logger.info('pods of an earlier ztunnel', { pods: this.#published.size });
      onPods(this.#published);
      this.#known.resolve();
    }
    void Promise.all([this.#pods.start(), this.#namespaces.start()]).then(() => this.#synced());
    await this.#known.promise;
  }

  async stop(): Promise<void> {
    this.#onPods = undefined;
    this.#timer?.cancel();
    this.#writer.stop();
    await Promise.all([this.#pods.stop(), this.#namespaces.stop(), this.#looking]);
    await this.#options.snapshot?.stop();
  }

  report(uid: string, status: PodStatus): Promise<void> {
    this.#writer.report(uid, status);
    return Promise.resolve();
  }

  /**
   * Takes in a pod that is being started, so that it is known before it runs. Rejects when the API server has no such pod,
   * or cannot be asked.
   */
  async admit(starting: StartingPod, signal: AbortSignal): Promise<LocalPod> {
    const { clock } = this.#options;
    const pod = this.#byRuntimeUid(starting.runtimeUid) ?? (await this.#ask(starting, signal));
    if (!this.#namespaces.items.has(namespaceKey(pod.namespace)))
      await this.#askNamespace(pod.namespace, signal);
    const key = nameKey(pod);
    this.#early.pods.set(key, pod);
    clock.setTimer(ADMITTED_MS, () => {
      if (this.#early.pods.get(key) !== pod) return;
      this.#early.pods.delete(key);
      this.#changed();
    });
    this.#netns.set(starting.runtimeUid, starting.netns);
    this.#publish();
    const local = this.#published.get(pod.uid);
    if (local === undefined) throw new Error('its containers have ended already');
    return local;
  }

  /** The sandbox is being taken down. One that has been made anew meanwhile is another namespace, and stays. */
  release(runtimeUid: string, netnsPath: string): void {
    if (this.#netns.get(runtimeUid)?.path !== netnsPath) return;
    this.#lose(runtimeUid);
    this.#changed();
  }

  #lose(runtimeUid: string): void {
    this.#netns.delete(runtimeUid);
    this.#lost.add(runtimeUid);
  }

  #podOf(uid: string): KubePod | undefined {
    for (const pod of this.#facts().pods.values()) if (pod.uid === uid) return pod;
    return undefined;
  }

  #byRuntimeUid(runtimeUid: string): KubePod | undefined {
    for (const pod of this.#pods.items.values()) if (pod.runtimeUid === runtimeUid) return pod;
    return undefined;
  }

  async #ask({ namespace, name, runtimeUid }: StartingPod, signal: AbortSignal): Promise<KubePod> {
    const path = objectPath(PODS, namespace, name);
    const parsed = parseKubePod(await this.#options.api.request({ path, signal }));
    if (!parsed.ok) throw new Error(parsed.error);
    // The name is another pod's by now.
    if (parsed.value.runtimeUid !== runtimeUid) throw new Error(NO_POD);
    return parsed.value;
  }

  async #askNamespace(name: string, signal: AbortSignal): Promise<void> {
    const parsed = parseKubeNamespace(
      await this.#options.api.request({ path: objectPath(NAMESPACES, '', name), signal }),
    );
    if (parsed.ok) this.#early.namespaces.set(namespaceKey(name), parsed.value);
  }

  async #synced(): Promise<void> {
    this.#isSynced = true;
    this.#isAnnounced = false;
    await this.#lookForNetns();
    this.#changed();
    this.#known.resolve();
    this.#scheduleLook();
  }

  #changed(): void {
    if (!this.#isSynced) return;
    for (const key of this.#pods.items.keys()) this.#early.pods.delete(key);
    for (const key of this.#namespaces.items.keys()) this.#early.namespaces.delete(key);
    this.#forgetLost();
    if (this.#hasNewlyMissing()) {
      this.#lookNow();
      return;
    }
    this.#publish();
    for (const uid of this.#published.keys()) this.#writer.sync(uid);
  }

  /** Those of pods that are no more. */
  #forgetLost(): void {
    if (this.#lost.size === 0) return;
    const known = new Set([...this.#facts().pods.values()].map(pod => pod.runtimeUid));
    for (const uid of this.#lost) if (!known.has(uid)) this.#lost.delete(uid);
  }

  #publish(): void {
    const before = this.#published;
    this.#published = this.#assemble();
    if (this.#isAnnounced && isSame(before, this.#published)) return;
    this.#isAnnounced = true;
    for (const uid of before.keys()) if (!this.#published.has(uid)) this.#writer.forget(uid);
    this.#options.snapshot?.write([...this.#published.values()], this.#netns, uid => this.#runtimeUidOf(uid));
    this.#onPods?.(this.#published);
  }

  #facts(): KnownPods {
    return {
      pods: new Map([...this.#early.pods, ...this.#pods.items]),
      namespaces: new Map([...this.#early.namespaces, ...this.#namespaces.items]),
      netns: this.#netns,
      lost: this.#lost,
    };
  }

  #assemble(): ReadonlyMap<string, LocalPod> {
    const known = localPods(this.#facts(), this.#published);
    // Before the first list only what an earlier ztunnel has left, and what the CNI plugin told of, is known.
    return this.#isSynced ? known : new Map([...this.#published, ...known]);
  }

  #runtimeUidOf(uid: string): string {
    return this.#podOf(uid)?.runtimeUid ?? uid;
  }

  /** Pods that were there before the CNI plugin was, or whose sandbox was made anew without it. */
  async #lookForNetns(): Promise<void> {
    const { findNetns, rules } = this.#options;
    for (const [uid, netns] of this.#netns) if (!isAlive(netns)) this.#lose(uid);
    const missing = withoutNetns(this.#facts(), rules);
    this.#soughtInVain = missing;
    try {
      for (const [uid, netns] of await findNetns(missing)) {
        // The CNI plugin may have told meanwhile.
        if (!this.#netns.has(uid)) this.#netns.set(uid, netns);
      }
    } catch (error) {
      this.#logger.warn('cannot look for network namespaces of pods', {
        error: errorMessage(error),
      });
    }
  }

  /** A pod that has come to be wanted in the mesh is looked for before it is told of: only what is not there is a failure. */
  #hasNewlyMissing(): boolean {
    const missing = withoutNetns(this.#facts(), this.#options.rules);
    return [...missing].some(uid => !this.#soughtInVain.has(uid));
  }

  #lookNow(): void {
    this.#looking ??= this.#lookForNetns().then(() => {
      this.#looking = undefined;
      this.#changed();
    });
  }

  #scheduleLook(): void {
    if (this.#onPods === undefined) return;
    this.#timer = this.#options.clock.setTimer(NETNS_INTERVAL_MS, () => {
      this.#lookNow();
      this.#scheduleLook();
    });
  }
}

function isSame(before: ReadonlyMap<string, LocalPod>, now: ReadonlyMap<string, LocalPod>): boolean {
  return before.size === now.size && [...before].every(([uid, pod]) => now.get(uid) === pod);
}
