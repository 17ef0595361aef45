import { type BackoffOptions, backoffDelay } from '../lifecycle/backoff.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import { errorMessage } from '../observability/error-message.ts';
import type { Logger } from '../observability/logger.ts';
import type { HostAddresses, HostLookup } from './host-lookup.ts';

export interface HostResolverOptions {
  readonly lookup: HostLookup;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** What a name stands for has changed: sorted, never empty. */
  readonly onChange: (hostname: string, ips: readonly string[]) => void;
  /** A name could not be resolved, and has never been. Whoever hears of it tells of it: then it is not logged. */
  readonly onFailure?: (hostname: string, reason: string) => void;
}

/** More names are not resolved; configuration alone can name them. */
const MAX_HOSTS = 2_048;
/** Of one name, in their order: what an answer may make endpoints of. */
const MAX_ADDRESSES = 64;
const CONCURRENCY = 8;
const LOOKUP_MS = 10_000;
/** A server that says 0 is not asked for every connection, and one that says a week does not keep us off a failover. */
const MIN_TTL_MS = 5_000;
const MAX_TTL_MS = 300_000;
const DEFAULT_TTL_MS = 60_000;
const JITTER = 0.1;
const RETRY: BackoffOptions = { initialMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0.2 };

interface Host {
  readonly name: string;
  /** The last that were found: they stay while the name cannot be resolved. */
  ips: readonly string[];
  failures: number;
  timer: Timer | undefined;
}

/** Follows what names stand for, until nobody watches them. */
export class HostResolver {
  readonly #options: HostResolverOptions;
  readonly #hosts = new Map<string, Host>();
  /** Names to be asked for, as soon as fewer are being asked for. */
  readonly #waiting = new Set<Host>();
  #asking = 0;

  constructor(options: HostResolverOptions) {
    this.#options = options;
  }

  /** Empty until it has been resolved for the first time. */
  addresses(hostname: string): readonly string[] {
    return this.#hosts.get(hostname)?.ips ?? [];
  }

  watch(hostname: string): void {
    if (this.#hosts.has(hostname)) return;
    if (this.#hosts.size >= MAX_HOSTS) {
      const reason = `more than ${MAX_HOSTS} names are endpoints`;
      this.#options.logger.warn('name not resolved', { hostname, reason });
      return;
    }
    const host: Host = { name: hostname, ips: [], failures: 0, timer: undefined };
    this.#hosts.set(hostname, host);
    this.#ask(host);
  }

  unwatch(hostname: string): void {
    const host = this.#hosts.get(hostname);
    if (host === undefined) return;
    host.timer?.cancel();
    this.#waiting.delete(host);
    this.#hosts.delete(hostname);
  }

  close(): void {
    for (const name of this.#hosts.keys()) this.unwatch(name);
  }

  #ask(host: Host): void {
    if (this.#asking >= CONCURRENCY) {
      this.#waiting.add(host);
      return;
    }
    this.#asking++;
    const { clock, lookup } = this.#options;
    let open = true;
    const settle = (answer: HostAddresses | undefined, reason: string): void => {
      if (!open) return;
      open = false;
      deadline.cancel();
      this.#asking--;
      if (this.#hosts.get(host.name) === host) this.#onAnswer(host, answer, reason);
      this.#askNext();
    };
    const deadline = clock.setTimer(LOOKUP_MS, () =>
      settle(undefined, `no answer within ${LOOKUP_MS / 1_000} s`),
    );
    lookup(host.name).then(
      answer => settle(answer, 'no address'),
      (error: unknown) => settle(undefined, errorMessage(error)),
    );
  }

  #askNext(): void {
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#ask(next);
  }

  #onAnswer(host: Host, answer: HostAddresses | undefined, reason: string): void {
    const { onChange, random } = this.#options;
    if (answer === undefined || answer.ips.length === 0) {
      this.#onFailure(host, reason);
      return;
    }
    host.failures = 0;
    const ttlMs = Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, answer.ttlMs ?? DEFAULT_TTL_MS));
    this.#askLater(host, ttlMs * (1 + JITTER * random()));
    const ips = [...new Set(answer.ips)].slice(0, MAX_ADDRESSES).sort();
    if (ips.join() === host.ips.join()) return;
    host.ips = ips;
    onChange(host.name, ips);
  }

  #onFailure(host: Host, reason: string): void {
    const { logger, onFailure, random } = this.#options;
    const isNew = host.ips.length === 0;
    // Said once, until it works again.
    if (host.failures === 0 && !(isNew && onFailure !== undefined))
      logger.warn('name not resolved', { hostname: host.name, reason, kept: host.ips.join(',') });
    this.#askLater(host, backoffDelay(RETRY, host.failures++, random()));
    if (isNew) onFailure?.(host.name, reason);
  }

  #askLater(host: Host, afterMs: number): void {
    host.timer = this.#options.clock.setTimer(afterMs, () => {
      host.timer = undefined;
      this.#ask(host);
    });
  }
}
