import type { Clock } from '#shared/lifecycle/clock.ts';

/** A host of a service (`<namespace>/<hostname>`) that lists no endpoints. */
export interface WantedHost {
  readonly kind: 'host_wanted';
  readonly service: string;
  readonly host: string;
}

/** Nothing was found. */
export interface FailedHost {
  readonly kind: 'host_failed';
  readonly service: string;
  readonly host: string;
  readonly reason: string;
}

/** @param failure undefined: its endpoints are there */
type OnSettled = (failure: string | undefined) => void;

interface Awaited {
  /** When the main thread was told last that the host is used, monotonic. */
  toldMs: number;
  readonly waiting: Set<OnSettled>;
}

/** A host that is used is told of so often: well within the time after which it would be forgotten. */
const TELL_MS = 60_000;

/** The hosts that requests of one thread have asked for, and the requests that wait until their endpoints are known. */
export class AwaitedHosts {
  readonly #clock: Clock;
  readonly #tell: (wanted: WantedHost) => void;
  readonly #byService = new Map<string, Map<string, Awaited>>();

  /** @param tell the main thread, which finds the endpoints (`AskedHosts`) */
  constructor(clock: Clock, tell: (wanted: WantedHost) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** A request is for a host that is known: so it stays for a while. */
  use(service: string, host: string): void {
    const awaited = this.#of(service, host);
    if (this.#clock.monotonic() - awaited.toldMs >= TELL_MS) this.#want(service, host, awaited);
  }

  /** Of a host that is not known. `onSettled` is called once. @returns what ends the wait without it */
  wait(service: string, host: string, onSettled: OnSettled): () => void {
    const awaited = this.#of(service, host);
    awaited.waiting.add(onSettled);
    if (awaited.waiting.size === 1) this.#want(service, host, awaited);
    return () => void awaited.waiting.delete(onSettled);
  }

  onFailed({ host, reason, service }: FailedHost): void {
    const hosts = this.#byService.get(service);
    const awaited = hosts?.get(host);
    if (awaited === undefined) return;
    // Who asks later asks again.
    hosts?.delete(host);
    for (const settle of awaited.waiting) settle(reason);
  }

  /** The mesh has changed: who waits for what is there now goes on, what is gone is forgotten. */
  onChange(services: ReadonlySet<string>, isKnown: (service: string, host: string) => boolean): void {
    for (const service of services) {
      const hosts = this.#byService.get(service);
      if (hosts === undefined) continue;
      for (const [host, { waiting }] of hosts) {
        if (isKnown(service, host)) {
          const settled = [...waiting];
          waiting.clear();
          for (const settle of settled) settle(undefined);
        } else if (waiting.size === 0) hosts.delete(host);
      }
      if (hosts.size === 0) this.#byService.delete(service);
    }
  }

  #want(service: string, host: string, awaited: Awaited): void {
    awaited.toldMs = this.#clock.monotonic();
    this.#tell({ kind: 'host_wanted', service, host });
  }

  #of(service: string, host: string): Awaited {
    let hosts = this.#byService.get(service);
    if (hosts === undefined) this.#byService.set(service, (hosts = new Map<string, Awaited>()));
    let awaited = hosts.get(host);
    if (awaited === undefined)
      hosts.set(host, (awaited = { toldMs: Number.NEGATIVE_INFINITY, waiting: new Set() }));
    return awaited;
  }
}
