import { CONFIG_MAPS } from '#shared/kube/core-resources.ts';
import { Informer, type InformerOptions } from '#shared/kube/informer.ts';
import type { InformerChange } from '#shared/kube/known-versions.ts';
import { MESH_CONFIG_NAME } from '../../translate/mesh-config/mesh-config.ts';
import { objectAt, objectsAt, textAt } from '../../translate/loose-fields.ts';
import { keyOf, type KubeObject } from '../kube-object.ts';

export interface ReferencedConfigMapsOptions
  extends Pick<InformerOptions, 'api' | 'clock' | 'random' | 'logger'> {
  readonly onChange: (change: InformerChange) => void;
  /** An object may be told of: what it refers to has been, as far as it is there. */
  readonly onReady: (object: KubeObject) => void;
  /** A ConfigMap has come, or is known not to be had: more may be ready, and less is waited for. */
  readonly onSettled: () => void;
  readonly onFailure: () => void;
}

/** An object that refers to ConfigMaps. */
interface Referrer {
  /** `<namespace>/<name>`, of its newest version. */
  readonly names: readonly string[];
  /** Those of the version that was told of, which are in use until the newest is. */
  readonly told: readonly string[];
  /** The newest, while it waits. */
  readonly held: KubeObject | undefined;
}

/**
 * ConfigMaps that objects refer to: a cluster has thousands, and whole programs in some, so each is followed by its name, while
 * somebody refers to it. An object waits for what it refers to: a policy that names other authorities must not be without any
 * for a moment.
 */
export class ReferencedConfigMaps {
  readonly #options: ReferencedConfigMapsOptions;
  /** By key. */
  readonly #referrers = new Map<string, Referrer>();
  readonly #followed = new Map<string, Informer>();

  constructor(options: ReferencedConfigMapsOptions) {
    this.#options = options;
  }

  /** ConfigMaps held. */
  get size(): number {
    let size = 0;
    for (const informer of this.#followed.values()) size += informer.size;
    return size;
  }

  /** Names and why each is not in step. */
  failures(): readonly (readonly [string, string])[] {
    return [...this.#followed].flatMap(([name, { failure }]) =>
      failure === undefined ? [] : [[name, failure]],
    );
  }

  /** Those that objects wait for, with the reason where one is known. */
  waitingFor(): readonly string[] {
    return [...this.#followed]
      .filter(([, informer]) => !isSettled(informer))
      .map(([name, { failure }]) => `ConfigMap ${name}: ${failure ?? 'being listed'}`);
  }

  upsert(object: KubeObject): void {
    const key = keyOf(object);
    const names = namesIn(object);
    const before = this.#referrers.get(key);
    if (names.length === 0 && before === undefined) {
      this.#options.onReady(object);
      return;
    }
    this.#referrers.set(key, { names, told: before?.told ?? [], held: object });
    for (const name of names) this.#follow(name);
    this.#release();
  }

  delete(key: string): void {
    if (this.#referrers.delete(key)) this.#drop();
  }

  async stop(): Promise<void> {
    const informers = [...this.#followed.values()];
    this.#followed.clear();
    await Promise.all(informers.map(informer => informer.stop()));
  }

  #follow(full: string): void {
    if (this.#followed.has(full)) return;
    const [namespace = '', name = ''] = full.split('/');
    const { api, clock, logger, onChange, onFailure, random } = this.#options;
    const informer = new Informer({
      api,
      clock,
      random,
      logger,
      resource: CONFIG_MAPS,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      onChange,
      onSynced: () => this.#settled(),
      onFailure: () => {
        onFailure();
        this.#settled();
      },
    });
    this.#followed.set(full, informer);
    informer.start();
  }

  #settled(): void {
    this.#release();
    this.#options.onSettled();
  }

  #release(): void {
    for (const [key, { held, names }] of this.#referrers) {
      if (held === undefined || !names.every(name => this.#isSettled(name))) continue;
      this.#options.onReady(held);
      if (names.length === 0) this.#referrers.delete(key);
      else this.#referrers.set(key, { names, told: names, held: undefined });
    }
    this.#drop();
  }

  #isSettled(name: string): boolean {
    const informer = this.#followed.get(name);
    return informer === undefined || isSettled(informer);
  }

  /** Nobody refers to them any more: they are told as gone. */
  #drop(): void {
    const wanted = new Set([...this.#referrers.values()].flatMap(({ names, told }) => [...names, ...told]));
    for (const [name, informer] of this.#followed) {
      if (wanted.has(name)) continue;
      this.#followed.delete(name);
      this.#options.onChange({ upserts: [], deletes: informer.clear() });
      void informer.stop();
    }
  }
}

/** Listed once, or not to be read: who may not is not to wait for ever. */
function isSettled({ failure, synced }: Informer): boolean {
  return synced || failure?.includes('forbidden') === true;
}

/** `<namespace>/<name>`. The configuration of the mesh is followed anyway, whatever its namespace. */
function namesIn({ kind, metadata, spec }: KubeObject): readonly string[] {
  if (kind !== 'BackendTLSPolicy') return [];
  const references = objectsAt(objectAt(spec, 'validation'), 'caCertificateRefs');
  const names = references
    .filter(reference => textAt(reference, 'kind') === 'ConfigMap')
    .flatMap(reference => textAt(reference, 'name') ?? [])
    .filter(name => NAME.test(name) && name !== MESH_CONFIG_NAME);
  return [...new Set(names)].map(name => `${metadata.namespace}/${name}`);
}

/** Nothing else could be there, and it becomes part of a question to the API server. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
