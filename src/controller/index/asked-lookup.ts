import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '../source/kube-object.ts';
import type { RouteLookup } from '../translate/gateway-route/route-translation.ts';

/** One question of a translation with its answer. */
interface Asked {
  readonly again: () => unknown;
  readonly answer: unknown;
}

/**
 * What each object's translation asked about other objects. As long as every answer is the same, so is what comes of the
 * object, and it need not be translated again.
 */
export class AskedLookup {
  readonly #objects: RouteLookup;
  readonly #asked = new WeakMap<KubeObject, readonly Asked[]>();

  constructor(objects: RouteLookup) {
    this.#objects = objects;
  }

  /** Runs a translation of `object` with a lookup that writes down what is asked. */
  remembering<T>(object: KubeObject, translate: (lookup: RouteLookup) => T): T {
    const asked: Asked[] = [];
    const ask = <A>(again: () => A): A => {
      const answer = again();
      asked.push({ again, answer });
      return answer;
    };
    const objects = this.#objects;
    this.#asked.set(object, asked);
    return translate({
      service: (namespace, name) => ask(() => objects.service(namespace, name)),
      serviceEntry: (namespace, name) => ask(() => objects.serviceEntry(namespace, name)),
      serviceByHostname: (hostname, preferred) => ask(() => objects.serviceByHostname(hostname, preferred)),
      servicesMatching: pattern => ask(() => objects.servicesMatching(pattern)),
      isGranted: (from, to) => ask(() => objects.isGranted(from, to)),
    });
  }

  /** Whether an answer is another one than it was when `object` was translated last. */
  isOutdated(object: KubeObject): boolean {
    const asked = this.#asked.get(object);
    return asked === undefined || asked.some(({ again, answer }) => !isDeepStrictEqual(again(), answer));
  }
}
