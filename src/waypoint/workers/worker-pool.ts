import type { TlsMaterial } from '#shared/engine/engine.ts';
import type { KeySource } from '#shared/jwt/key-source.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { Span } from '#shared/tracing/span.ts';
import { registerWorkerRestarts } from '#shared/observability/worker-restarts.ts';
import type { WorkerHandle } from '#shared/workers/worker-handle.ts';
import { WorkerSupervisor, type WorkerSupervisorOptions } from '#shared/workers/worker-supervisor.ts';
import type { FailedHost, WantedHost } from '../hosts/awaited-hosts.ts';
import { TapSessions } from '../tap/tap-sessions.ts';
import type { CredentialCommand, KeysCommand, WaypointEvent, WaypointProtocol } from './messages.ts';

/** Who fetches keys of token issuers, on the main thread. */
export interface KeysForThreads {
  wanted(source: KeySource): void;
  commands(): readonly KeysCommand[];
}

/** Who finds the endpoints of hosts that requests ask for, on the main thread. */
export interface HostsForThreads {
  wanted(wanted: WantedHost): void;
}

type Handle = WorkerHandle<WaypointProtocol>;

export interface WorkerPoolOptions
  extends Omit<WorkerSupervisorOptions<WaypointProtocol>, 'replyTimeoutMs' | 'restarts'> {
  readonly metrics: MetricSet;
  /** Spans of a thread, and how many it had no room for. */
  readonly onSpans: (spans: readonly Span[], dropped: number) => void;
}

/** Keeps short-lived objects of a busy thread from being promoted, at little memory. */
export const YOUNG_GENERATION_MB = 32;
/**
 * The runtime begins to collect the old generation when less is left of its bound than the young one has room for. With little live
 * its own bound leaves less all the time, and each collection keeps every request that passes while it lasts.
 */
export const HEAP_GROWING_PERCENT = 200;
const REPLY_TIMEOUT_MS = 5_000;

/** The traffic threads of a waypoint: one certificate, and listeners that are opened when the mesh is known. */
export class WorkerPool extends WorkerSupervisor<WaypointProtocol> {
  /** Who watches requests as they pass. */
  readonly taps: TapSessions;
  readonly #logger: WorkerPoolOptions['logger'];
  readonly #onSpans: WorkerPoolOptions['onSpans'];
  #certificate: TlsMaterial | undefined;
  #keys: KeysForThreads | undefined;
  #hosts: HostsForThreads | undefined;
  readonly #credentials = new Map<string, CredentialCommand>();
  #listening = false;

  constructor(options: WorkerPoolOptions) {
    const restarts = registerWorkerRestarts(options.metrics);
    super({ ...options, replyTimeoutMs: REPLY_TIMEOUT_MS, restarts });
    this.#logger = options.logger;
    this.#onSpans = options.onSpans;
    this.taps = new TapSessions({
      clock: options.clock,
      command: command => {
        for (const worker of this.ready()) worker.post(command);
      },
    });
  }

  /** Opens the listeners of every worker, and of those started later. Rejects when one cannot. */
  async listen(): Promise<void> {
    this.#listening = true;
    await Promise.all(this.ready().map(worker => worker.request({ kind: 'listen' }, REPLY_TIMEOUT_MS)));
  }

  setCertificate(material: TlsMaterial): void {
    this.#certificate = material;
    for (const worker of this.ready()) worker.post({ kind: 'certificate', material });
  }

  /** To every thread, and to those started later. */
  setCredential(command: CredentialCommand): void {
    if (command.credential === undefined) this.#credentials.delete(command.name);
    else this.#credentials.set(command.name, command);
    for (const worker of this.ready()) worker.post(command);
  }

  /** Keys of token issuers come from here; undefined: there is nobody who fetches them. */
  set keys(keys: KeysForThreads | undefined) {
    this.#keys = keys;
  }

  /** Endpoints of hosts are found here; undefined: by nobody. */
  set hosts(hosts: HostsForThreads | undefined) {
    this.#hosts = hosts;
  }

  /** To every thread: none was found. */
  sendHostFailure(failed: FailedHost): void {
    for (const worker of this.ready()) worker.post(failed);
  }

  /** To every thread. */
  sendKeys(command: KeysCommand): void {
    for (const worker of this.ready()) worker.post(command);
  }

  protected override onEvent(event: WaypointEvent): void {
    switch (event.kind) {
      case 'tap':
        this.taps.onEvents(event.tap, event.events);
        return;
      case 'keys_wanted':
        if (this.#keys !== undefined) this.#keys.wanted(event.source);
        else this.sendKeys({ kind: 'keys', source: event.source.name, jwks: undefined });
        return;
      case 'host_wanted': {
        const { host, service } = event;
        if (this.#hosts !== undefined) this.#hosts.wanted(event);
        else this.sendHostFailure({ kind: 'host_failed', service, host, reason: 'no name is resolved here' });
        return;
      }
      case 'spans': {
        this.#onSpans(event.spans, event.dropped);
        const thread = this.ready().find(worker => worker.index === event.thread);
        thread?.post({ kind: 'spans_taken' });
        return;
      }
    }
  }

  protected tellEverything(worker: Handle): void {
    for (const command of this.taps.commands()) worker.post(command);
    for (const command of this.#keys?.commands() ?? []) worker.post(command);
    if (this.#certificate !== undefined) worker.post({ kind: 'certificate', material: this.#certificate });
    for (const command of this.#credentials.values()) worker.post(command);
    if (!this.#listening) return;
    worker.request({ kind: 'listen' }, REPLY_TIMEOUT_MS).catch((error: unknown) => {
      this.#logger.error('a worker cannot listen', { worker: worker.index, error: String(error) });
    });
  }
}
