import { createHash } from 'node:crypto';
import { type BackoffOptions, backoffDelay } from '#shared/lifecycle/backoff.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import { type KubeApi, MERGE_PATCH } from '#shared/kube/client.ts';
import { isConflict, isNotFound } from '#shared/kube/kube-error.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { PodStatus } from '../local-pod.ts';
import { type KubePod, REDIRECTION_ANNOTATION } from './kube-pod.ts';

export interface PodStatusWriterOptions {
  readonly api: KubeApi;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** The pod as the API server has it now; undefined when it is gone. */
  readonly pod: (uid: string) => KubePod | undefined;
}

const RETRY: BackoffOptions = { initialMs: 100, maxMs: 30_000, factor: 2, jitter: 0.3 };
/** The same failure of the same pod is one event that is counted up. */
const MAX_EVENTS = 4_096;

/** What the annotation says for each state; undefined: there is none. */
const ANNOTATION: Readonly<Record<PodStatus['state'], string | undefined>> = {
  enrolled: 'enabled',
  failed: 'pending',
  not_captured: undefined,
};

interface Wish {
  status: PodStatus;
  isWriting: boolean;
}

/**
 * Keeps the annotation of each pod what its capture is, against failures of the API server and against whoever else
 * writes it, and tells of failures in events of the pod.
 */
export class PodStatusWriter {
  readonly #options: PodStatusWriterOptions;
  readonly #logger: Logger;
  readonly #wishes = new Map<string, Wish>();
  /** Name of an event → how often it has happened. */
  readonly #events = new Map<string, number>();
  readonly #stopped = new AbortController();

  constructor(options: PodStatusWriterOptions) {
    this.#options = options;
    this.#logger = options.logger.child('pod_status');
  }

  report(uid: string, status: PodStatus): void {
    const wish = this.#wishes.get(uid);
    if (wish === undefined) this.#wishes.set(uid, { status, isWriting: false });
    else wish.status = status;
    const pod = this.#options.pod(uid);
    // A pod whose deletion has begun loses its network before it is gone: that is no failure anybody has to look at.
    if (status.state === 'failed' && pod !== undefined && !pod.isTerminating)
      void this.#tell(pod, status.message);
    this.sync(uid);
  }

  /** To be called when the pod has changed in the API server: somebody may have changed the annotation. */
  sync(uid: string): void {
    const wish = this.#wishes.get(uid);
    if (wish === undefined || wish.isWriting) return;
    wish.isWriting = true;
    void this.#write(uid, wish).finally(() => (wish.isWriting = false));
  }

  /** The pod is gone. */
  forget(uid: string): void {
    this.#wishes.delete(uid);
  }

  stop(): void {
    this.#stopped.abort(new Error('stopped'));
  }

  /** Until the API server has been told the newest wish, or the pod is gone. Never rejects. */
  async #write(uid: string, wish: Wish): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopped;
    for (let failures = 0; this.#wishes.get(uid) === wish && !signal.aborted; ) {
      const pod = this.#options.pod(uid);
      const wanted = ANNOTATION[wish.status.state];
      if (pod === undefined || pod.redirection === wanted) return;
      try {
        await this.#patch(pod, wanted);
        // What the pod is known by here is older than the answer: not looked at again before the watch tells.
        if (ANNOTATION[wish.status.state] === wanted) return;
        failures = 0;
      } catch (error) {
        if (isGone(error) || signal.aborted) return;
        this.#warn('cannot write the annotation of a pod', pod, error);
        await delay(clock, backoffDelay(RETRY, failures++, random()), signal).catch(() => undefined);
      }
    }
  }

  /** Of the status: what may change that may not change the pod. The uid makes it this run of the pod or nothing. */
  async #patch({ namespace, name, uid }: KubePod, value: string | undefined): Promise<void> {
    await this.#options.api.request({
      method: 'PATCH',
      contentType: MERGE_PATCH,
      path: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
      body: { metadata: { uid, annotations: { [REDIRECTION_ANNOTATION]: value ?? null } } },
      signal: this.#stopped.signal,
    });
  }

  async #tell(pod: KubePod, message: string): Promise<void> {
    const { api, clock } = this.#options;
    const event = captureFailed(pod, message, this.#options.nodeName, new Date(clock.now()).toISOString());
    const { name } = event.metadata;
    const count = (this.#events.get(name) ?? 0) + 1;
    if (this.#events.size >= MAX_EVENTS) this.#events.clear();
    this.#events.set(name, count);
    const path = `/api/v1/namespaces/${pod.namespace}/events`;
    const { signal } = this.#stopped;
    try {
      await api.request({ method: 'POST', path, body: { ...event, count }, signal }).catch(async error => {
        if (!isConflict(error)) throw error;
        const body = { count, lastTimestamp: event.lastTimestamp };
        await api.request({
          method: 'PATCH',
          contentType: MERGE_PATCH,
          path: `${path}/${name}`,
          body,
          signal,
        });
      });
    } catch (error) {
      this.#warn('cannot write an event', pod, error);
    }
  }

  #warn(message: string, pod: KubePod, error: unknown): void {
    this.#logger.warn(message, {
      pod: pod.name,
      namespace: pod.namespace,
      error: errorMessage(error),
    });
  }
}

/** The pod, or this run of it, is no more. */
function isGone(error: unknown): boolean {
  return isNotFound(error) || isConflict(error);
}

function captureFailed(pod: KubePod, message: string, nodeName: string, now: string) {
  const hash = createHash('sha256').update(`${pod.uid}\n${message}`).digest('hex').slice(0, 16);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${pod.name.slice(0, 200)}.${hash}`, namespace: pod.namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', name: pod.name, namespace: pod.namespace, uid: pod.uid },
    reason: 'AmbientCaptureFailed',
    message: `The pod is labelled for the mesh, but its traffic does not go through it: ${message}`.slice(
      0,
      1_000,
    ),
    type: 'Warning',
    source: { component: 'ztunnel', host: nodeName },
    firstTimestamp: now,
    lastTimestamp: now,
  };
}
