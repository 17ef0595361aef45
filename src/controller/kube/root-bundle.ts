import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { APPLY_PATCH, type KubeApi } from '#shared/kube/client.ts';
import { CONFIG_MAPS, NAMESPACES } from '#shared/kube/core-resources.ts';
import { Informer, type InformerOptions } from '#shared/kube/informer.ts';
import { isConflict, isNotFound, KubeError } from '#shared/kube/kube-error.ts';
import { objectNameOf } from '#shared/kube/known-versions.ts';
import { objectPath } from '#shared/kube/resource.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { type Term, TermTask } from './term-task.ts';
import { WorkQueue } from './work-queue.ts';

export interface RootBundleOptions {
  readonly api: KubeApi;
  readonly ca: CertificateAuthority;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

/** Ours alone. */
export const OWN_NAME = 'ambient-ca-root-cert';
/** The name that proxies of other meshes look for: written unless another mesh does. */
export const SHARED_NAME = 'istio-ca-root-cert';
export const BUNDLE_KEY = 'root-cert.pem';
const MANAGED_BY = 'app.kubernetes.io/managed-by';
const MANAGER = 'ambient-mesh';

/** A rotation writes two ConfigMaps in every namespace: fast enough for thousands, slow enough for the API server. */
const CONCURRENCY = 4;
const WRITES_PER_SECOND = 100;
const BURST = 100;

/** A ConfigMap of one of the two names, as far as it matters. */
interface Found {
  readonly pem: string | undefined;
  readonly isOurs: boolean;
}

/**
 * Keeps the trusted roots in a ConfigMap of every namespace, from where proxies mount them: made with the namespace, brought
 * up to date when the roots change, repaired when somebody changes or deletes it. Written by the leader alone.
 */
export class RootBundlePublisher extends TermTask {
  constructor(options: RootBundleOptions) {
    super('root bundle', () => new Running(options));
  }
}

/** From the start of a leadership to its end. */
class Running implements Term {
  readonly #options: RootBundleOptions;
  readonly #queue: WorkQueue;
  readonly #informers: readonly Informer[];
  readonly #stopListening: () => void;
  readonly #namespaces = new Set<string>();
  /** `<namespace>/<name>` → what is there. */
  readonly #found = new Map<string, Found>();

  constructor(options: RootBundleOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      ...options,
      process: namespace => this.#reconcile(namespace),
      onFailure: (namespace, error, waitMs) => {
        const reason = errorMessage(error);
        options.logger.warn('roots not written, trying again', { namespace, reason, waitMs });
      },
      concurrency: CONCURRENCY,
      perSecond: WRITES_PER_SECOND,
      burst: BURST,
    });
    this.#queue.start();
    this.#stopListening = options.ca.onTrustChange(() => this.#addAll());
    this.#informers = [this.#namespaceInformer(), ...[OWN_NAME, SHARED_NAME].map(n => this.#mapInformer(n))];
    for (const informer of this.#informers) informer.start();
  }

  async stop(): Promise<void> {
    this.#stopListening();
    await Promise.all([this.#queue.stop(), ...this.#informers.map(informer => informer.stop())]);
  }

  #namespaceInformer(): Informer {
    return this.#informer({
      resource: NAMESPACES,
      metadataOnly: true,
      onChange: ({ deletes, upserts }) => {
        for (const { name } of deletes) this.#namespaces.delete(name);
        for (const object of upserts) {
          const { name } = objectNameOf(object);
          // Nothing can be made in a namespace that is being deleted.
          if (isTerminating(object)) this.#namespaces.delete(name);
          else if (!this.#namespaces.has(name)) {
            this.#namespaces.add(name);
            this.#add(name);
          }
        }
      },
      onSynced: () => this.#addAll(),
    });
  }

  #mapInformer(name: string): Informer {
    return this.#informer({
      resource: CONFIG_MAPS,
      fieldSelector: `metadata.name=${name}`,
      onChange: ({ deletes, upserts }) => {
        for (const { namespace } of deletes) {
          this.#found.delete(`${namespace}/${name}`);
          this.#add(namespace);
        }
        for (const object of upserts) {
          const { namespace } = objectNameOf(object);
          this.#found.set(`${namespace}/${name}`, readMap(object));
          this.#add(namespace);
        }
      },
      onSynced: () => this.#addAll(),
    });
  }

  #informer(
    more: Pick<InformerOptions, 'resource' | 'onChange' | 'onSynced' | 'fieldSelector' | 'metadataOnly'>,
  ) {
    const { api, clock, logger, random } = this.#options;
    return new Informer({ api, clock, logger, random, ...more });
  }

  #addAll(): void {
    for (const namespace of this.#namespaces) this.#add(namespace);
  }

  #add(namespace: string): void {
    // Before all is known, what is only not listed yet would look like missing.
    if (this.#informers.every(informer => informer.synced)) this.#queue.add(namespace);
  }

  async #reconcile(namespace: string): Promise<void> {
    if (!this.#namespaces.has(namespace)) return;
    const { pem } = this.#options.ca.trust.bundle;
    for (const name of [OWN_NAME, SHARED_NAME]) {
      const found = this.#found.get(`${namespace}/${name}`);
      if (found?.pem === pem && found.isOurs) continue;
      // Another mesh's roots are what its proxies need.
      if (name === SHARED_NAME && found !== undefined && !found.isOurs) continue;
      await this.#apply(namespace, name, pem, name === OWN_NAME || found?.isOurs === true);
    }
  }

  /** Made or changed in one request. Without `force` a field that somebody else has written stays his. */
  async #apply(namespace: string, name: string, pem: string, force: boolean): Promise<void> {
    try {
      await this.#options.api.request({
        method: 'PATCH',
        path: objectPath(CONFIG_MAPS, namespace, name),
        query: { fieldManager: MANAGER, force: String(force) },
        contentType: APPLY_PATCH,
        body: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace, labels: { [MANAGED_BY]: MANAGER } },
          data: { [BUNDLE_KEY]: pem },
        },
      });
      this.#options.logger.debug('roots written', { namespace, name });
    } catch (error) {
      if (!force && isConflict(error)) return;
      // It is being deleted, or gone, and the informer will say so.
      if (isNotFound(error) || isTerminatingNamespace(error)) return;
      throw error;
    }
  }
}

function readMap(object: JsonObject): Found {
  const data = isJsonObject(object['data']) ? object['data'] : {};
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const labels = isJsonObject(metadata['labels']) ? metadata['labels'] : {};
  const pem = data[BUNDLE_KEY];
  return { pem: typeof pem === 'string' ? pem : undefined, isOurs: labels[MANAGED_BY] === MANAGER };
}

function isTerminating(object: JsonObject): boolean {
  return isJsonObject(object['metadata']) && object['metadata']['deletionTimestamp'] !== undefined;
}

function isTerminatingNamespace(error: unknown): boolean {
  return error instanceof KubeError && error.status === 403 && error.message.includes('being terminated');
}
