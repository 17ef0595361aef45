import type { ChannelError } from '#shared/engine/channel.ts';
import type { SessionPlaces } from '#shared/hbone/pool-options.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { Cell, CellFamily, MetricSet } from '#shared/observability/metric-set.ts';
import { BoundError, boundMessage } from './bound-error.ts';
import { createRefusedConnections } from './bound-metrics.ts';
import type { ConnectionBounds } from './connection-bounds.ts';
import { type Bound, Place } from './places.ts';
import { type Direction, PodCounts } from './pod-counts.ts';
import { SharedCount } from './shared-count.ts';

/** Plain data, handed to worker threads. */
export interface ConnectionSettings extends ConnectionBounds {
  readonly threads: number;
  /** Memory of a count: what all pods hold. */
  readonly used: SharedArrayBuffer;
}

/** Where a connection has its place: taken before anything is done for it, given back when it has ended. */
export interface ConnectionPlace {
  /** @returns why there is none; undefined when it is taken */
  take(): ChannelError | undefined;
  give(): void;
}

/** The places of one pod, as one thread takes them. */
export interface PodPlaces {
  readonly outbound: ConnectionPlace;
  readonly inbound: ConnectionPlace;
  readonly hbone: ConnectionPlace;
  /** Of its sessions to others. */
  readonly sessions: SessionPlaces;
}

interface Named {
  readonly namespace: string;
  readonly name: string;
}

export interface PlaceKeeperOptions {
  readonly settings: ConnectionSettings;
  readonly thread: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MetricSet;
}

/**
 * Of its bound a pod may keep this part in sessions that carry nothing: who asks a thousand pods every minute greets them once.
 * Each costs as much memory as two connections are reckoned with.
 */
const IDLE_PART = 1 / 8;
/** That a pod is at its bound is said once in this time, beside the line of each connection. */
const WARN_EVERY_MS = 60_000;

/** Makes the places of the pods of a thread. */
export class PlaceKeeper {
  readonly #options: PlaceKeeperOptions;
  readonly #used: SharedCount;
  readonly #refused: CellFamily;

  constructor(options: PlaceKeeperOptions) {
    this.#options = options;
    const { used, threads } = options.settings;
    this.#used = new SharedCount(used, threads, 0);
    this.#refused = createRefusedConnections(options.metrics);
  }

  /** @param memory of the pod's counts, which all threads share */
  placesOf(pod: Named, memory: SharedArrayBuffer): PodPlaces {
    const { settings, thread } = this.#options;
    const counts = new PodCounts(memory, settings.threads);
    const used = this.#used;
    const direction = (name: Direction): ConnectionPlace =>
      new DirectionPlace(
        new Place({ held: counts[name], used, thread, bounds: settings }),
        pod,
        name,
        this.#options,
        this.#refused,
      );
    return {
      outbound: direction('outbound'),
      inbound: direction('inbound'),
      hbone: direction('hbone'),
      sessions: this.#sessions(counts.sessions),
    };
  }

  #sessions(held: SharedCount): SessionPlaces {
    const { settings, thread } = this.#options;
    const { perPod, room } = settings;
    const used = this.#used;
    const place = new Place({ held, used, thread, bounds: settings });
    return {
      // Never refused: there is a connection, which has a place, for each that is in use.
      opened: () => place.enter(),
      closed: () => place.give(),
      mayIdle: () => held.total <= perPod * IDLE_PART && used.total <= room / 2,
    };
  }
}

class DirectionPlace implements ConnectionPlace {
  readonly #place: Place;
  readonly #pod: Named;
  readonly #direction: Direction;
  readonly #options: PlaceKeeperOptions;
  readonly #refused: CellFamily;
  readonly #cells: Partial<Record<Bound, Cell>> = {};
  #warnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    place: Place,
    pod: Named,
    direction: Direction,
    options: PlaceKeeperOptions,
    refused: CellFamily,
  ) {
    this.#place = place;
    this.#pod = pod;
    this.#direction = direction;
    this.#options = options;
    this.#refused = refused;
  }

  take(): ChannelError | undefined {
    const bound = this.#place.take();
    return bound === undefined ? undefined : this.#refuse(bound);
  }

  give(): void {
    this.#place.give();
  }

  #refuse(bound: Bound): ChannelError {
    const { namespace, name } = this.#pod;
    this.#cells[bound] ??= this.#refused.cell([namespace, name, this.#direction, bound]);
    this.#cells[bound].value++;
    const { clock, logger, settings } = this.#options;
    const message = boundMessage(bound, `${namespace}/${name}`, this.#direction, settings);
    const nowMs = clock.monotonic();
    if (nowMs - this.#warnedAtMs >= WARN_EVERY_MS) {
      this.#warnedAtMs = nowMs;
      logger.warn('connections of a pod are refused', {
        pod: name,
        namespace,
        direction: this.#direction,
        error: message,
      });
    }
    return new BoundError(message);
  }
}
