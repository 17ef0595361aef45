import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { MetricSet } from '#shared/observability/metric-set.ts';
import { type ConnectionTable, readConnectionTable } from './connection-table.ts';

/** A network namespace whose table is looked at. */
export interface TablePlace {
  /** Of the namespace itself: one at the same path later is another. */
  readonly key: string;
  readonly kind: 'node' | 'pod';
  /** For the log: `pod shop/orders-1`. */
  readonly name: string;
  /** Undefined: this thread's own. */
  readonly netnsFd: number | undefined;
}

export interface ConnectionTablesOptions {
  /** As of now. */
  readonly places: () => readonly TablePlace[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MetricSet;
  readonly read?: (netnsFd: number | undefined) => ConnectionTable | undefined;
}

interface Seen {
  readonly table: ConnectionTable;
  /** What is said while it is full, and until it has not been for a while; undefined: nothing. */
  readonly warning: string | undefined;
  /** Monotonic. */
  readonly fullAt: number;
}

/** Each place is looked at so often. */
const ROUND_MS = 10_000;
/** A node has hundreds of pods: the thread is not held up for all of them at once. */
const AT_ONCE = 16;
/** A table at its limit is not so at each look. */
const CALM_MS = 30_000;

/**
 * Says which tables of connection tracking are full: the kernel drops the first packet of every new connection there, which looks to
 * applications and proxies like a network that is gone. Nobody else on a node says it but the kernel's own log.
 */
export class ConnectionTables {
  readonly #options: ConnectionTablesOptions;
  readonly #logger: Logger;
  readonly #fill: ReturnType<MetricSet['gauge']>;
  readonly #drops: ReturnType<MetricSet['counter']>;
  #seen: ReadonlyMap<string, Seen> = new Map();
  #round = new Map<string, Seen>();
  #left: TablePlace[] = [];
  #timer: Timer | undefined;
  #saidUnreadable = false;

  constructor(options: ConnectionTablesOptions) {
    this.#options = options;
    this.#logger = options.logger.child('conntrack');
    this.#fill = options.metrics.gauge({
      name: 'ambient_conntrack_fill_ratio',
      help: 'Share of its entries that the fullest table of connection tracking uses: of the node, and among the pods that are captured.',
      labels: ['where'],
    });
    this.#drops = options.metrics.counter({
      name: 'ambient_conntrack_drops_total',
      help: 'Packets of new connections that the kernel dropped because a table of connection tracking was full: of the node, and of pods that are captured.',
      labels: ['where'],
    });
    for (const where of ['node', 'pod']) this.#drops.cell([where]);
  }

  start(): void {
    this.#look();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** A sentence for each table that is full, or was a moment ago. */
  warnings(): readonly string[] {
    return [...this.#seen.values()].flatMap(({ warning }) => (warning === undefined ? [] : [warning]));
  }

  #look(): void {
    const { clock } = this.#options;
    const places = this.#options.places();
    if (this.#left.length === 0) this.#left = [...places];
    // What has gone meanwhile has closed its descriptor.
    const current = new Set(places.map(({ key }) => key));
    const steps = Math.max(1, Math.ceil(current.size / AT_ONCE));
    for (const place of this.#left.splice(0, AT_ONCE)) if (current.has(place.key)) this.#lookAt(place);
    if (this.#left.length === 0) this.#endRound();
    this.#timer = clock.setTimer(ROUND_MS / steps, () => this.#look());
  }

  #lookAt(place: TablePlace): void {
    const { clock, read = readConnectionTable } = this.#options;
    const before = this.#seen.get(place.key);
    const table = this.#tryTo(() => read(place.netnsFd));
    if (table === undefined) return;
    // What was dropped before the first look may be of yesterday.
    const dropped = before === undefined ? 0 : Math.max(0, table.drops - before.table.drops);
    this.#drops.cell([place.kind]).value += dropped;
    const nowMs = clock.monotonic();
    const isFull = dropped > 0 || table.entries >= table.most;
    const fullAt = isFull ? nowMs : (before?.fullAt ?? Number.NEGATIVE_INFINITY);
    const isCalm = nowMs - fullAt >= CALM_MS;
    const warning = isFull ? sentence(place, table, dropped) : isCalm ? undefined : before?.warning;
    this.#round.set(place.key, { table, warning, fullAt });
    this.#tell(place, table, dropped, before?.warning, warning);
  }

  #tell(
    { name }: TablePlace,
    { entries, most }: ConnectionTable,
    dropped: number,
    before: string | undefined,
    now: string | undefined,
  ): void {
    if (before === undefined && now !== undefined)
      this.#logger.error('connection tracking is full: new connections are dropped', {
        where: name,
        entries,
        most,
        dropped,
      });
    if (before !== undefined && now === undefined)
      this.#logger.info('connection tracking has room again', { where: name, entries, most });
  }

  #endRound(): void {
    this.#seen = this.#round;
    this.#round = new Map();
    const kindOf = new Map(this.#options.places().map(({ key, kind }) => [key, kind]));
    const fullest = { node: 0, pod: 0 };
    for (const [key, { table }] of this.#seen) {
      const kind = kindOf.get(key);
      if (kind !== undefined) fullest[kind] = Math.max(fullest[kind], table.entries / table.most);
    }
    this.#fill.cell(['node']).value = fullest.node;
    this.#fill.cell(['pod']).value = fullest.pod;
  }

  /** A pod that goes at this moment is no news; anything else is, once. */
  #tryTo(read: () => ConnectionTable | undefined): ConnectionTable | undefined {
    try {
      return read();
    } catch (error) {
      if (!this.#saidUnreadable)
        this.#logger.warn('connection tracking cannot be looked at', { error: errorMessage(error) });
      this.#saidUnreadable = true;
      return undefined;
    }
  }
}

function sentence({ kind, name }: TablePlace, { entries, most }: ConnectionTable, dropped: number): string {
  const where = kind === 'node' ? 'of the node' : `of ${name}`;
  return `connection tracking ${where} is full (${entries} of ${most} entries, ${dropped} packets dropped in ${ROUND_MS / 1_000} s): new connections hang; raise net.netfilter.nf_conntrack_max, or find who holds so many`;
}
