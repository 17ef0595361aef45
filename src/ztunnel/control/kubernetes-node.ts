import { join } from 'node:path';
import { KubeClient } from '#shared/kube/client.ts';
import { inClusterConnection } from '#shared/kube/in-cluster.ts';
import { type Netns, openNetns } from '#shared/native/netns.ts';
import { VERSION } from '#shared/config/version.ts';
import { delay } from '#shared/lifecycle/clock.ts';
import type { PodSourceConfig } from '../config/node-agent-config.ts';
import { AdmissionServer } from '../node/cni/admission-server.ts';
import { ChainKeeper } from '../node/cni/chain-keeper.ts';
import { untilMayTakeCharge } from '../node/cni/charge.ts';
import { PodAdmission } from '../node/cni/pod-admission.ts';
import { createNetnsFinder } from '../node/kubernetes/netns-finder.ts';
import { PodSnapshot } from '../node/kubernetes/pod-snapshot.ts';
import { KubernetesPodSource } from '../node/kubernetes/pod-source.ts';
import { UninstallWatch } from '../node/kubernetes/uninstall-watch.ts';
import type { NodeAgent } from '../node/node-agent.ts';
import type { NodeMetrics } from '../node/node-metrics.ts';
import { nodeAddresses } from '../node/probe-sources.ts';
import type { CaptureRules } from '#shared/capture/wants-mesh.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { NodeAgentParts } from './node-agent-parts.ts';

type KubernetesConfig = PodSourceConfig & { kind: 'kubernetes' };

/** What is there in a cluster alone: the API server, the CNI plugin, a predecessor and a successor. */
export class KubernetesNode {
  readonly source: KubernetesPodSource;
  readonly #parts: NodeAgentParts;
  readonly #config: KubernetesConfig;
  readonly #agent: () => NodeAgent;
  readonly #admission: AdmissionServer | undefined;
  readonly #chain: ChainKeeper | undefined;
  readonly #uninstall: UninstallWatch | undefined;
  #released: Promise<void> | undefined;
  #probeFailure: string | undefined;
  #nodeNetns: Netns | undefined;
  #isStopped = false;

  constructor(
    parts: NodeAgentParts,
    config: KubernetesConfig,
    rules: CaptureRules,
    metrics: NodeMetrics,
    agent: () => NodeAgent,
  ) {
    this.#parts = parts;
    this.#config = config;
    this.#agent = agent;
    const { clock, instance, logger, random, stateFiles } = parts;
    const { access, daemonSet } = config;
    const environment = { KUBERNETES_SERVICE_HOST: access.host, KUBERNETES_SERVICE_PORT: access.port };
    const connection = inClusterConnection(environment, clock, access.accountDir);
    const api = new KubeClient(connection, clock, `ztunnel/${VERSION}`);
    const watching = { api, clock, random, logger };
    this.source = new KubernetesPodSource({
      ...watching,
      nodeName: instance.nodeName,
      rules,
      findNetns: createNetnsFinder(config),
      snapshot: stateFiles === undefined ? undefined : new PodSnapshot(stateFiles.file('pods')),
    });
    this.#admission = this.#answerPlugin(rules);
    this.#chain = this.#keepChain(rules, metrics);
    const { namespace } = instance;
    const onUninstall = (reason: string): void => this.#release(reason);
    this.#uninstall =
      daemonSet === undefined
        ? undefined
        : new UninstallWatch({ ...watching, namespace, daemonSet, onUninstall });
  }

  isInCharge(): boolean {
    return this.#admission?.isInCharge() ?? true;
  }

  /** A node whose network cannot be looked at has no exempt probes: it is told, and the last known addresses stay. */
  probeSources(): readonly string[] {
    try {
      const found = nodeAddresses(join(this.#config.procDir, '1/ns/net'));
      this.#probeFailure = undefined;
      return found;
    } catch (error) {
      const reason = errorMessage(error);
      if (this.#probeFailure === undefined) {
        this.#parts.logger.error('cannot find the addresses of the node: probes of strict pods will fail', {
          error: reason,
        });
      }
      this.#probeFailure = reason;
      return [];
    }
  }

  async untilMayTakeCharge(): Promise<void> {
    const { logger, mesh } = this.#parts;
    await untilMayTakeCharge({
      mesh,
      logger,
      isServedByOlder: () => this.#admission?.isServedByOlder() ?? Promise.resolve(false),
      isStopped: () => this.#isStopped,
    });
  }

  /** Of the node itself, kept open; undefined where it cannot be opened. */
  nodeNetns(): { readonly netnsFd: number } | undefined {
    try {
      this.#nodeNetns ??= openNetns(join(this.#config.procDir, '1/ns/net'));
      return { netnsFd: this.#nodeNetns.fd };
    } catch {
      // Whoever asks for the node's addresses says so.
      return undefined;
    }
  }

  /** In charge before the first pod is looked at: an older ztunnel leaves the rules alone from here on. */
  async beforePods(): Promise<void> {
    await this.#admission?.start();
    this.#uninstall?.start();
  }

  /** The plugin is called only when there is somebody who answers. */
  async afterPods(): Promise<void> {
    if (this.#released === undefined) await this.#chain?.start();
  }

  warnings(): string[] {
    const state = this.#chain?.state;
    const unanswered = this.#admission?.failure;
    return [
      ...(unanswered === undefined ? [] : [`the CNI plugin is not answered: ${unanswered}`]),
      ...(state === undefined || state.installed
        ? []
        : [`the CNI plugin is not in the chain: ${state.reason}`]),
      ...(this.#probeFailure === undefined ? [] : [`probes are not exempt: ${this.#probeFailure}`]),
    ];
  }

  async finishRelease(deadlineMs: number): Promise<void> {
    await this.#uninstall?.stop();
    if (this.#released === undefined) return;
    const late = new AbortController();
    const deadline = delay(this.#parts.clock, deadlineMs, late.signal).catch(() => undefined);
    await Promise.race([this.#released, deadline]);
    late.abort();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#chain?.stop();
    await this.#admission?.stop(this.#released !== undefined);
    this.#nodeNetns?.close();
    this.#nodeNetns = undefined;
  }

  #release(reason: string): void {
    const { logger } = this.#parts;
    logger.warn('the mesh is being removed from this node: every pod is released', { reason });
    this.#released = this.#releaseAll().then(
      () => logger.warn('every pod is released', {}),
      (error: unknown) =>
        logger.error('the mesh could not be removed from this node completely', {
          error: errorMessage(error),
        }),
    );
  }

  /** New pods first: they would be captured behind our back. */
  async #releaseAll(): Promise<void> {
    await this.#chain?.uninstall();
    await this.#agent().release();
  }

  #answerPlugin(rules: CaptureRules): AdmissionServer | undefined {
    const { clock, logger } = this.#parts;
    const { socket: path } = this.#config.cni;
    if (path === undefined) return undefined;
    const admission = new PodAdmission({
      admit: (pod, signal) => this.source.admit(pod, signal),
      release: (uid, netns) => this.source.release(uid, netns),
      settled: uid => this.#agent().settled(uid),
      isReleased: () => this.#released !== undefined,
      rules,
      clock,
      logger,
    });
    return new AdmissionServer({
      path,
      answer: request => admission.answer(request),
      onCharge: () => void this.#agent().reconcile(),
      clock,
      logger,
    });
  }

  #keepChain({ excludedNamespaces }: CaptureRules, metrics: NodeMetrics): ChainKeeper | undefined {
    const { clock, logger } = this.#parts;
    const { access, cni } = this.#config;
    const { install, socket } = cni;
    if (install === undefined || socket === undefined) return undefined;
    return new ChainKeeper({
      config: install,
      socket,
      access,
      excludedNamespaces: [...excludedNamespaces],
      clock,
      logger,
      onState: state => metrics.chain(state),
    });
  }
}
