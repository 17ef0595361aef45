import type { JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { CONFIG_MAPS } from '#shared/kube/core-resources.ts';
import { Informer } from '#shared/kube/informer.ts';
import { kindName } from '#shared/kube/kind-name.ts';
import type { InformerChange, ObjectName } from '#shared/kube/known-versions.ts';
import { apiVersionOf, type KubeResource } from '#shared/kube/resource.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { KNOWN_KINDS } from '../known-kinds.ts';
import type { ObjectSource, SourceEvents, SourceProblem } from '../object-source.ts';
import { parseObject } from '../parse-object.ts';
import { ChangeBatch } from './change-batch.ts';
import { KindWatch } from './kind-watch.ts';
import { prune } from './prune.ts';
import { ReferencedConfigMaps } from './referenced-config-maps.ts';
import { NOT_WATCHED, selectionOf } from './selections.ts';

export interface KubernetesSourceOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Secrets are read as well, where they are labelled for it. */
  readonly tlsSecrets: boolean;
  /** A list or watch of a kind broke off; it is tried again. */
  readonly onWatchError: (kind: string) => void;
}

/** A start that takes longer than this says what it waits for, again and again. */
const SLOW_START_MS = 10_000;
const HEALTH_CHECK_MS = 5_000;

/**
 * The objects of a cluster: an informer for each kind that the API server serves. Kinds whose CRD is installed later are
 * picked up then. What arrives in one turn of the loop is handed over as one change; before everything has been listed
 * once, nothing is, so that no proxy is ever told of half a mesh.
 */
export class KubernetesSource implements ObjectSource {
  readonly #options: KubernetesSourceOptions;
  readonly #kinds: KindWatch;
  readonly #informers = new Map<string, Informer>();
  readonly #references: ReferencedConfigMaps;
  readonly #batch = new ChangeBatch();
  readonly #started = Promise.withResolvers<void>();
  #events: SourceEvents | undefined;
  #discovered = false;
  #synced = false;
  #flush: NodeJS.Immediate | undefined;
  #health: Timer | undefined;
  #slow: Timer | undefined;
  #shownProblems = '[]';

  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    const isWanted = (kind: string): boolean =>
      !NOT_WATCHED.has(kind) && (kind !== 'Secret' || options.tlsSecrets);
    const wanted = new Map([...KNOWN_KINDS].filter(([kind]) => isWanted(kind)));
    this.#references = new ReferencedConfigMaps({
      ...options,
      onChange: change => this.#onChange(CONFIG_MAPS, change),
      onReady: object => this.#batch.upsert(object),
      onSettled: () => {
        this.#flushSoon();
        this.#settle();
      },
      onFailure: () => options.onWatchError(CONFIG_MAPS.kind),
    });
    this.#kinds = new KindWatch({
      ...options,
      wanted,
      onCame: resource => this.#add(resource),
      onWent: kind => void this.#remove(kind),
      onLooked: () => {
        this.#discovered = true;
        this.#settle();
      },
    });
  }

  /** Resolves when every kind that is served has been listed once, however long the API server is away before. */
  start(events: SourceEvents): Promise<void> {
    this.#events = events;
    this.#kinds.start();
    this.#checkHealth();
    this.#tellWhenSlow();
    return this.#started.promise;
  }

  async stop(): Promise<void> {
    this.#events = undefined;
    this.#health?.cancel();
    this.#slow?.cancel();
    clearImmediate(this.#flush);
    const informers = [...this.#informers.values()].map(informer => informer.stop());
    await Promise.all([this.#kinds.stop(), this.#references.stop(), ...informers]);
  }

  /** What a start waits for, with the reason where one is known. */
  waitingFor(): readonly string[] {
    if (!this.#discovered) return [`API server: ${this.#kinds.failure ?? 'asked which kinds it serves'}`];
    const kinds = [...this.#informers]
      .filter(([, informer]) => !informer.synced)
      .map(([kind, { failure }]) => `${kind}: ${failure ?? 'being listed'}`);
    return [...kinds, ...this.#references.waitingFor()];
  }

  /** Objects held, by kind. */
  counts(): ReadonlyMap<string, number> {
    const referenced = (kind: string): number => (kind === CONFIG_MAPS.kind ? this.#references.size : 0);
    return new Map([...this.#informers].map(([kind, informer]) => [kind, informer.size + referenced(kind)]));
  }

  #add(resource: KubeResource): void {
    const kind = kindName(resource.group, resource.kind);
    // Another version is served than before: what was told stays until the new list says otherwise.
    const before = this.#informers.get(kind);
    const told = before?.clear() ?? [];
    void before?.stop();
    const informer = new Informer({
      ...this.#options,
      ...selectionOf(resource),
      onChange: change => this.#onChange(resource, change),
      onFailure: () => this.#options.onWatchError(kind),
      onSynced: () => {
        const deletes = told.filter(name => !informer.knows(name));
        this.#onChange(resource, { upserts: [], deletes });
        this.#settle();
      },
    });
    this.#informers.set(kind, informer);
    informer.start();
  }

  async #remove(kind: string): Promise<void> {
    const informer = this.#informers.get(kind);
    if (informer === undefined) return;
    this.#informers.delete(kind);
    for (const name of informer.clear()) this.#delete(keyOf(kind, name));
    this.#flushSoon();
    this.#settle();
    await informer.stop();
  }

  #onChange(resource: KubeResource, change: InformerChange): void {
    const kind = kindName(resource.group, resource.kind);
    for (const name of change.deletes) this.#delete(keyOf(kind, name));
    for (const object of change.upserts) this.#upsert(resource, object);
    this.#flushSoon();
  }

  #upsert(resource: KubeResource, object: JsonObject): void {
    // Items of a list do not say what they are.
    const named = { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
    const parsed = parseObject(named);
    if (parsed.kind === 'object') this.#references.upsert(prune(parsed.object));
    else if (parsed.kind === 'bad') {
      const { field, message } = parsed;
      this.#options.logger.warn('object passed over', { kind: resource.kind, field, reason: message });
    }
  }

  #delete(key: string): void {
    this.#references.delete(key);
    this.#batch.delete(key);
  }

  #settle(): void {
    if (this.#synced || !this.#discovered || this.waitingFor().length > 0) return;
    this.#synced = true;
    this.#slow?.cancel();
    this.#publish();
    this.#started.resolve();
  }

  /** After the turn: what came in together is one change. Costs no time when nothing else is to be done. */
  #flushSoon(): void {
    if (!this.#synced) return;
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      this.#publish();
    });
  }

  #publish(): void {
    if (!this.#batch.isEmpty) this.#events?.onChange(this.#batch.take());
  }

  #tellWhenSlow(): void {
    this.#slow = this.#options.clock.setTimer(SLOW_START_MS, () => {
      this.#options.logger.warn('not ready: waiting for objects', { for: this.waitingFor().join('; ') });
      this.#tellWhenSlow();
    });
  }

  #checkHealth(): void {
    this.#health = this.#options.clock.setTimer(HEALTH_CHECK_MS, () => {
      const problems = [
        ...[...this.#informers].flatMap(([kind, { failure }]) =>
          failure === undefined ? [] : [problemOf(kind, failure)],
        ),
        ...this.#references.failures().map(([name, failure]) => problemOf(`ConfigMap ${name}`, failure)),
      ];
      const shown = JSON.stringify(problems);
      if (shown !== this.#shownProblems) this.#events?.onProblems(problems);
      this.#shownProblems = shown;
      this.#checkHealth();
    });
  }
}

function keyOf(kind: string, { name, namespace }: ObjectName): string {
  return `${kind}/${namespace}/${name}`;
}

function problemOf(kind: string, failure: string): SourceProblem {
  const isRefused = failure.includes('forbidden');
  return {
    origin: kind,
    field: '',
    value: 'not set',
    message: `cannot be followed: ${failure}`,
    fix: isRefused
      ? 'give the controller list and watch of this kind (docs/kubernetes.md)'
      : 'look whether the API server is reachable; what was read last is in use',
  };
}
