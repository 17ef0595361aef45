import { errorMessage } from '#shared/observability/error-message.ts';
import type { Proxies, ProxyRef } from '../../proxies.ts';
import { keyOf } from '../ask-mesh.ts';
import { readFailure } from './read-failure.ts';
import type { RefusalLog } from './refusal-log.ts';

/** Of each proxy, when it is first followed. */
const TAIL_LINES = 300;
/** Each is a connection to the API server that stays. */
const MAX_FOLLOWED = 100;

interface Followed {
  readonly controller: AbortController;
  lastMs: number;
  /** Why it is not followed any more. */
  error: string | undefined;
}

/** Reads the logs of proxies as they grow: only there a refusal stands with the policy and rule it is of. */
export class LogFollower {
  readonly #proxies: Proxies;
  readonly #log: RefusalLog;
  readonly #onNews: () => void;
  readonly #followed = new Map<string, Followed>();
  #leftOut = 0;

  constructor(proxies: Proxies, log: RefusalLog, onNews: () => void) {
    this.#proxies = proxies;
    this.#log = log;
    this.#onNews = onNews;
  }

  /** Follows these from now on; those that broke off are taken up again. */
  follow(refs: readonly ProxyRef[]): void {
    const wanted = refs.filter(ref => ref.kind !== 'controller').slice(0, MAX_FOLLOWED);
    this.#leftOut = refs.filter(ref => ref.kind !== 'controller').length - wanted.length;
    const keys = new Set(wanted.map(keyOf));
    for (const [key, { controller }] of this.#followed) {
      if (keys.has(key)) continue;
      controller.abort();
      this.#followed.delete(key);
    }
    for (const ref of wanted) {
      const before = this.#followed.get(keyOf(ref));
      if (before === undefined || before.controller.signal.aborted) this.#start(ref, before?.lastMs ?? 0);
    }
  }

  stop(): void {
    for (const { controller } of this.#followed.values()) controller.abort();
    this.#followed.clear();
  }

  get warnings(): readonly string[] {
    const errors = new Set([...this.#followed.values()].flatMap(({ error }) => error ?? []));
    const [first] = errors;
    return [
      ...(first === undefined ? [] : [`refusals are counted, their reasons are not known: ${first}`]),
      ...(this.#leftOut === 0
        ? []
        : [`the logs of ${this.#leftOut} proxies are not read: ${MAX_FOLLOWED} are`]),
    ];
  }

  #start(ref: ProxyRef, afterMs: number): void {
    const controller = new AbortController();
    const followed: Followed = { controller, lastMs: afterMs, error: undefined };
    this.#followed.set(keyOf(ref), followed);
    const onLine = (line: string): void => {
      const failure = readFailure(line);
      // Taken up again, a log repeats its last lines.
      if (failure === undefined || failure.atMs <= afterMs) return;
      followed.lastMs = Math.max(followed.lastMs, failure.atMs);
      this.#log.add(failure, ref.name);
      this.#onNews();
    };
    const tail = { follow: true, tailLines: TAIL_LINES };
    this.#proxies.log(ref, tail, onLine, controller.signal).then(
      () => controller.abort(),
      (error: unknown) => {
        followed.error = errorMessage(error);
        controller.abort();
      },
    );
  }
}
