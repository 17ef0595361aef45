import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { type KubeApi, MERGE_PATCH } from '#shared/kube/client.ts';
import { CONFIG_MAPS, PODS } from '#shared/kube/core-resources.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import { objectNameOf } from '#shared/kube/known-versions.ts';
import { listObjects } from '#shared/kube/list.ts';
import { collectionPath, objectPath } from '#shared/kube/resource.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { TrustState } from '../ca/certificate-authority.ts';
import type { ManagedCa } from '../ca/managed-ca.ts';
import {
  formatTrustReport,
  parseTrustReport,
  type TrustReport,
  unconfirmedProxies,
} from '../ca/trust-report.ts';

export interface TrustReportsOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Name of this replica's pod. */
  readonly replica: string;
  readonly ca: Pick<ManagedCa, 'phase'> & { readonly trust: Pick<TrustState, 'version'> };
  /** What this replica knows of its own proxies. */
  readonly own: () => Omit<TrustReport, 'version'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A key for each replica. */
export const REPORTS_NAME = 'ambient-root-rotation';
const CONTROLLER_PODS = 'app.kubernetes.io/name=ambient-controller';
const INTERVAL_MS = 1_000;
const DEADLINE_MS = 5_000;

/**
 * What the replicas tell each other while a new root waits to sign: which of their proxies have it. Between rotations nothing
 * is read or written.
 */
export class TrustReports {
  readonly #options: TrustReportsOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #failure: string | undefined;
  /** Whether this replica may have a report in the cluster; at the start, of an earlier process. */
  #mayBeThere = true;

  constructor(options: TrustReportsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'));
    await this.#running;
  }

  /** Whom the roots of the moment have not reached, of all replicas. Rejects when the API server does not say. */
  async unconfirmed(): Promise<readonly string[]> {
    const { namespace, replica, ca } = this.#options;
    const reports = new Map<string, TrustReport | undefined>();
    if (ca.phase === 'prepared') {
      const [data, pods] = await Promise.all([this.#read(), this.#replicas(namespace)]);
      for (const pod of pods) reports.set(pod, parseTrustReport(data.get(pod) ?? ''));
    }
    const { version } = ca.trust;
    reports.set(replica, { version, ...this.#options.own() });
    return unconfirmedProxies(version, reports);
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#report();
        this.#failure = undefined;
      } catch (error) {
        const reason = errorMessage(error);
        if (this.#failure === undefined && !signal.aborted)
          logger.warn('other replicas cannot be told which proxies have the new root, trying again', {
            reason,
          });
        this.#failure = reason;
      }
      await delay(clock, INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  async #report(): Promise<void> {
    const { ca, own, replica } = this.#options;
    const isWanted = ca.phase === 'prepared';
    if (!isWanted && !this.#mayBeThere) return;
    const before = (await this.#read()).get(replica);
    const text = isWanted ? formatTrustReport({ version: ca.trust.version, ...own() }) : undefined;
    if (before !== text) await this.#write(text);
    this.#mayBeThere = isWanted;
  }

  async #write(text: string | undefined): Promise<void> {
    const { api, namespace, replica } = this.#options;
    const common = { signal: this.#stopping.signal, deadlineMs: DEADLINE_MS };
    const data = { [replica]: text ?? null };
    try {
      const path = objectPath(CONFIG_MAPS, namespace, REPORTS_NAME);
      await api.request({ ...common, method: 'PATCH', path, contentType: MERGE_PATCH, body: { data } });
    } catch (error) {
      if (!isNotFound(error) || text === undefined) throw error;
      const labels = { 'app.kubernetes.io/managed-by': 'ambient-mesh' };
      const body = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: REPORTS_NAME, namespace, labels },
        data,
      };
      // Of two that make it at once one fails, and patches it at its next turn.
      await api.request({ ...common, method: 'POST', path: collectionPath(CONFIG_MAPS, namespace), body });
    }
  }

  async #read(): Promise<ReadonlyMap<string, string>> {
    const { api, namespace } = this.#options;
    try {
      const path = objectPath(CONFIG_MAPS, namespace, REPORTS_NAME);
      const map = await api.request({ path, signal: this.#stopping.signal, deadlineMs: DEADLINE_MS });
      const data = isJsonObject(map['data']) ? map['data'] : {};
      return new Map(Object.entries(data).flatMap(([k, v]) => (typeof v === 'string' ? [[k, v]] : [])));
    } catch (error) {
      if (isNotFound(error)) return new Map();
      throw error;
    }
  }

  /** Names of the replicas that may serve proxies. */
  async #replicas(namespace: string): Promise<readonly string[]> {
    const names: string[] = [];
    const selection = { resource: PODS, namespace, labelSelector: CONTROLLER_PODS };
    await listObjects(this.#options.api, selection, {
      signal: this.#stopping.signal,
      onPage: pods => void names.push(...pods.filter(servesProxies).map(pod => objectNameOf(pod).name)),
    });
    return names;
  }
}

/** One that ends has sent its proxies to the others. */
function servesProxies(pod: JsonObject): boolean {
  const metadata = isJsonObject(pod['metadata']) ? pod['metadata'] : {};
  const status = isJsonObject(pod['status']) ? pod['status'] : {};
  const { phase } = status;
  return metadata['deletionTimestamp'] === undefined && phase !== 'Succeeded' && phase !== 'Failed';
}
