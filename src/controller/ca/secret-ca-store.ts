import type { JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { SECRETS } from '#shared/kube/core-resources.ts';
import { isConflict, isNotFound } from '#shared/kube/kube-error.ts';
import { collectionPath, objectPath } from '#shared/kube/resource.ts';
import {
  exportPrivateKey,
  generateKey,
  importPrivateKey,
  softwareProvider,
} from '#shared/pki/crypto-provider.ts';
import { CaError } from './ca-error.ts';
import { formatCaState, parseCaState } from './ca-state-text.ts';
import type { CaStore } from './ca-store.ts';
import type { KeyStore } from './key-store.ts';
import { type CaState, trustedAuthorities } from './root-rotation.ts';
import { readSecret, type SecretData } from './secret-data.ts';

export interface SecretCaStoreOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly name: string;
}

const STATE = 'ca-state.json';
const KEY_SUFFIX = '-key.pem';

/**
 * A CA in one Secret, state and keys together, so that a change is whole or not at all and the API server decides which of
 * two replicas was first. New keys wait in memory for the write of the state that names them; keys that no state names any
 * more go with it.
 */
export class SecretCaStore implements CaStore {
  readonly keys: KeyStore;
  readonly #options: SecretCaStoreOptions;
  readonly #fresh = new Map<string, string>();
  /** As it was last seen. It stays when the Secret is deleted: the keys are nowhere else then. */
  #stored: SecretData | undefined;
  #isThere = false;

  constructor(options: SecretCaStoreOptions) {
    this.#options = options;
    this.keys = {
      create: async name => {
        const key = await generateKey(softwareProvider, true);
        this.#fresh.set(name, await exportPrivateKey(key));
        return key;
      },
      load: name => importPrivateKey(softwareProvider, this.#keyPem(name)),
      list: () => Promise.resolve(this.#keyNames()),
      remove: () => Promise.resolve(),
    };
  }

  get name(): string {
    return this.#where;
  }

  async read(): Promise<CaState | undefined> {
    const { api, name, namespace } = this.#options;
    try {
      return this.take(await api.request({ path: objectPath(SECRETS, namespace, name) }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#isThere = false;
      return undefined;
    }
  }

  /** Of the Secret as it is now. @throws CaError when it is damaged; then what was read before stays. */
  take(secret: JsonObject): CaState {
    const read = readSecret(secret);
    const text = read.data.get(STATE);
    if (text === undefined)
      throw new CaError(
        'FAILED_PRECONDITION',
        `${this.#where} has no ${STATE}: restore it, or delete the Secret`,
      );
    const state = parseCaState(text, this.#where);
    this.#stored = read;
    this.#isThere = true;
    return state;
  }

  /** Somebody has deleted the Secret: the next write makes it again, with the keys that were in it. */
  deleted(): void {
    this.#isThere = false;
  }

  async write(state: CaState): Promise<void> {
    const { api, name, namespace } = this.#options;
    const before = this.#isThere ? this.#stored : undefined;
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: {
        name,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'ambient-mesh' },
        ...(before && { resourceVersion: before.resourceVersion }),
      },
      data: Object.fromEntries(
        [...this.#dataOf(state)].map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
      ),
    };
    try {
      const written =
        before === undefined
          ? await api.request({ method: 'POST', path: collectionPath(SECRETS, namespace), body })
          : await api.request({ method: 'PUT', path: objectPath(SECRETS, namespace, name), body });
      this.take(written);
      this.#fresh.clear();
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
      this.#fresh.clear();
      if (isNotFound(error)) this.#isThere = false;
      const message = `${this.#where} was changed by another replica, or deleted, meanwhile: look at /ca/status and try again`;
      throw new CaError('ABORTED', message, { cause: error });
    }
  }

  get #where(): string {
    return `Secret ${this.#options.namespace}/${this.#options.name}`;
  }

  #keyNames(): readonly string[] {
    const stored = [...(this.#stored?.data.keys() ?? [])].filter(key => key.endsWith(KEY_SUFFIX));
    return [...new Set([...stored.map(key => key.slice(0, -KEY_SUFFIX.length)), ...this.#fresh.keys()])];
  }

  #keyPem(name: string): string {
    const pem = this.#fresh.get(name) ?? this.#stored?.data.get(name + KEY_SUFFIX);
    if (pem !== undefined) return pem;
    throw new CaError(
      'FAILED_PRECONDITION',
      `${this.#where} has no ${name}${KEY_SUFFIX}: restore it from a backup`,
    );
  }

  /** Keys of certificates only while the state names them; others stay. */
  #dataOf(state: CaState): ReadonlyMap<string, string> {
    const used = new Set(
      trustedAuthorities(state).flatMap(record => [record.rootKey, record.intermediateKey]),
    );
    const data = new Map([[STATE, formatCaState(state)]]);
    for (const name of this.#keyNames()) {
      if (used.has(name) || !/^(root|intermediate)-/.test(name))
        data.set(name + KEY_SUFFIX, this.#keyPem(name));
    }
    return data;
  }
}
