import type { Clock } from '#shared/lifecycle/clock.ts';

/** Longest a leaf lives by default: after it a proxy that never came back holds nothing that a rotation could break. */
const KEEP_MS = 24 * 3_600_000;
/** Oldest out first: a fleet this large rotates with `force` or waits. */
const MAX_NODES = 10_000;

/** Proxies that were connected, are not now, and may still hold certificates. Lost when the controller restarts. */
export class DepartedClients {
  readonly #clock: Clock;
  readonly #leftAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(node: string): void {
    if (node === '') return;
    this.#leftAt.delete(node);
    this.#leftAt.set(node, this.#clock.monotonic());
    for (const oldest of this.#leftAt.keys()) {
      if (this.#leftAt.size <= MAX_NODES) break;
      this.#leftAt.delete(oldest);
    }
  }

  forget(node: string): void {
    this.#leftAt.delete(node);
  }

  nodes(): readonly string[] {
    const since = this.#clock.monotonic() - KEEP_MS;
    return [...this.#leftAt].filter(([, leftAt]) => leftAt > since).map(([node]) => node);
  }
}
