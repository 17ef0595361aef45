import type { RefusalRow } from '#shared/dashboard/frames.ts';
import type { LoggedFailure } from './read-failure.ts';

export interface RefusalLimits {
  readonly maxGroups: number;
  readonly memoryMs: number;
}

interface Group {
  readonly row: RefusalRow;
  readonly isEcho: boolean;
}

/** What the logs of proxies say was refused or failed: what is alike together, the oldest forgotten first. */
export class RefusalLog {
  readonly #limits: RefusalLimits;
  /** The one that was last added to is the last. */
  readonly #groups = new Map<string, Group>();

  constructor(limits: RefusalLimits) {
    this.#limits = limits;
  }

  add(failure: LoggedFailure, proxy: string): void {
    const {
      atMs,
      destination,
      isEcho,
      kind,
      policy,
      reason,
      request,
      rule,
      service,
      source,
      sourceIdentity,
    } = failure;
    const method = request.split(' ')[0];
    const key = [kind, source, destination, service, method, policy, rule, reasonClass(reason)].join('\0');
    const before = this.#groups.get(key)?.row;
    this.#groups.delete(key);
    const [lastMs, count] = [Math.max(atMs, before?.lastMs ?? 0), (before?.count ?? 0) + 1];
    const said = { source, sourceIdentity, destination, service, request, reason, policy, rule, proxy };
    this.#groups.set(key, { row: { kind, lastMs, count, ...said }, isEcho });
    const [oldest] = this.#groups.keys();
    if (this.#groups.size > this.#limits.maxGroups && oldest !== undefined) this.#groups.delete(oldest);
  }

  /** The latest first. What a client's ztunnel was told only is left out where the one that refused tells itself. */
  rows(nowMs: number): readonly RefusalRow[] {
    const recent = [...this.#groups.values()].filter(g => nowMs - g.row.lastMs <= this.#limits.memoryMs);
    const told = new Set(recent.filter(g => !g.isEcho).map(({ row }) => `${row.source} ${row.destination}`));
    return recent
      .filter(({ isEcho, row }) => !isEcho || !told.has(`${row.source} ${row.destination}`))
      .map(({ row }) => row)
      .sort((a, b) => b.lastMs - a.lastMs);
  }
}

/** Numbers in a reason (ports, milliseconds) do not make it another one. */
function reasonClass(reason: string): string {
  return reason.replaceAll(/\d+/g, '#');
}
