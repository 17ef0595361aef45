import type { ProblemRow, RefusalRow } from '#shared/dashboard/frames.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Proxies, ProxyRef } from '../proxies.ts';
import { METRICS_PATH, parsePrometheusText } from '../traffic/prometheus-text.ts';
import { type AskProxy, keyOf, PatientAsker } from './ask-mesh.ts';
import { NodeHistory } from './graph/node-history.ts';
import { gatherMesh } from './inventory/gather-mesh.ts';
import { type MeshState, NO_STATE, problemsOf } from './inventory/mesh-state.ts';
import { LogFollower } from './refusals/log-follower.ts';
import { RefusalLog } from './refusals/refusal-log.ts';
import { repeat } from './repeat.ts';
import { isOfFlows } from './traffic/flow.ts';
import { type Scrape, type Traffic, TrafficLog } from './traffic/traffic-log.ts';

export interface MeshWatchOptions {
  readonly proxies: Proxies;
  readonly ask: AskProxy;
  readonly clock: Clock;
  /** Between measurements of traffic. */
  readonly intervalMs: number;
}

/** Everything that frames are made of. */
export interface MeshPicture {
  readonly atMs: number;
  readonly state: MeshState;
  readonly traffic: Traffic;
  readonly problems: readonly ProblemRow[];
  readonly refusals: readonly RefusalRow[];
  readonly warnings: readonly string[];
  readonly history: NodeHistory;
}

const MEMORY_MS = 10 * 60_000;
const REFUSAL_MEMORY_MS = 60 * 60_000;
/** A rate over less jumps with each request. */
const MIN_WINDOW_MS = 20_000;
const WINDOW_TICKS = 4;
const MAX_FLOWS = 10_000;
const MAX_REFUSALS = 200;
const INVENTORY_INTERVAL_MS = 5_000;
/** A dump is everything a proxy knows: of large meshes megabytes each. */
const INVENTORY_SHARE = 20;
const TRAFFIC_SHARE = 3;

/** Watches a mesh: asks its proxies again and again, and keeps so much of what they said. */
export class MeshWatch {
  readonly #options: MeshWatchOptions;
  readonly #asker: PatientAsker;
  readonly #traffic: TrafficLog;
  readonly #history = new NodeHistory(120);
  readonly #refusals = new RefusalLog({ maxGroups: MAX_REFUSALS, memoryMs: REFUSAL_MEMORY_MS });
  readonly #follower: LogFollower;
  readonly #listeners = new Set<() => void>();
  readonly #end = new AbortController();
  #state: MeshState = NO_STATE;

  constructor(options: MeshWatchOptions) {
    const { clock, intervalMs, proxies } = options;
    this.#options = options;
    this.#asker = new PatientAsker(() => clock.monotonic());
    const windowMs = Math.max(MIN_WINDOW_MS, WINDOW_TICKS * intervalMs);
    this.#traffic = new TrafficLog({ windowMs, memoryMs: MEMORY_MS, maxFlows: MAX_FLOWS });
    this.#follower = new LogFollower(proxies, this.#refusals, () => this.#changed());
  }

  start(): void {
    const { clock, intervalMs } = this.#options;
    const { signal } = this.#end;
    const looked = Promise.withResolvers<void>();
    const look = async (): Promise<void> => {
      await this.#look();
      looked.resolve();
    };
    const measure = (): Promise<void> => this.#measure();
    // None of them rejects: what goes wrong is a warning.
    void repeat(clock, { intervalMs: INVENTORY_INTERVAL_MS, share: INVENTORY_SHARE }, look, signal);
    void looked.promise.then(() => repeat(clock, { intervalMs, share: TRAFFIC_SHARE }, measure, signal));
  }

  stop(): void {
    this.#end.abort();
    this.#follower.stop();
    this.#listeners.clear();
  }

  /** Calls whenever there is something new. @returns what ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  picture(): MeshPicture {
    const atMs = this.#options.clock.now();
    const full = this.#traffic.isFull
      ? [`more than ${MAX_FLOWS} pairs talk to each other: some are left out`]
      : [];
    return {
      atMs,
      state: this.#state,
      traffic: this.#traffic.window(),
      problems: problemsOf(this.#state, atMs),
      refusals: this.#refusals.rows(atMs),
      warnings: [...this.#state.warnings, ...this.#follower.warnings, ...full],
      history: this.#history,
    };
  }

  /** Pods of the waypoint that a service asks for; of all waypoints where that is not known. */
  waypointsOf(service: string): readonly ProxyRef[] {
    const { inventory, proxies } = this.#state;
    const waypoints = proxies.filter(p => p.kind === 'waypoint');
    const wanted = inventory.services.get(service)?.waypoint ?? '';
    const own = waypoints.filter(p => inventory.waypointOfPod.get(`${p.namespace}/${p.pod}`) === wanted);
    return own.length > 0 ? own : waypoints;
  }

  async #look(): Promise<void> {
    const { ask, proxies } = this.#options;
    this.#state = await gatherMesh(proxies, ask, this.#asker, this.#state);
    if (!this.#end.signal.aborted) this.#follower.follow(this.#state.proxies);
    this.#changed();
  }

  async #measure(): Promise<void> {
    const { ask, clock } = this.#options;
    const carriers = this.#state.proxies.filter(p => p.kind !== 'controller');
    const answers = await this.#asker.each(carriers, async (proxy): Promise<Scrape> => {
      const text = await ask.text(proxy, METRICS_PATH);
      const samples = parsePrometheusText(text, isOfFlows, this.#traffic.lastSamples(keyOf(proxy)));
      return { pod: `${proxy.namespace}/${proxy.pod}`, atMs: clock.now(), samples };
    });
    const scrapes = new Map([...answers].map(([proxy, scrape]) => [keyOf(proxy), scrape]));
    const passed = this.#traffic.record(clock.now(), scrapes);
    if (passed !== undefined) this.#history.add(passed, this.#state.inventory);
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
