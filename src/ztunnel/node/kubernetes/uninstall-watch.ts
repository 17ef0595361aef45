import { objectMeta } from '#shared/capture/kube-object.ts';
import { child } from '#shared/config/json-fields.ts';
import { RELEASE_ANNOTATION } from '#shared/capture/release.ts';
import type { JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { DAEMON_SETS } from '#shared/kube/core-resources.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type ParsedObject, WatchedSet } from './watched-set.ts';

export interface UninstallWatchOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly daemonSet: string;
  /** Called once. */
  readonly onUninstall: (reason: string) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * Tells an uninstallation from an upgrade, which looks the same to the process: it is asked to end. Only when the DaemonSet
 * goes do pods leave the mesh.
 */
export class UninstallWatch {
  readonly #set: WatchedSet<string | undefined>;
  readonly #options: UninstallWatchOptions;
  #wasThere = false;
  #isTold = false;

  constructor(options: UninstallWatchOptions) {
    this.#options = options;
    this.#set = new WatchedSet({
      ...options,
      resource: DAEMON_SETS,
      metadataOnly: true,
      fieldSelector: `metadata.name=${options.daemonSet}`,
      parse: parseDaemonSet,
      onChange: () => this.#look(this.#set.items),
    });
  }

  start(): void {
    void this.#set.start();
  }

  stop(): Promise<void> {
    return this.#set.stop();
  }

  #look(items: ReadonlyMap<string, string | undefined>): void {
    const { daemonSet, onUninstall } = this.#options;
    const reason = items.size === 0 ? 'is deleted' : [...items.values()].find(found => found !== undefined);
    const applies = items.size > 0 || this.#wasThere;
    this.#wasThere ||= items.size > 0;
    if (this.#isTold || !applies || reason === undefined) return;
    this.#isTold = true;
    onUninstall(`DaemonSet ${daemonSet} ${reason}`);
  }
}

/** Why pods are to be released, by it; undefined: they are not. */
function parseDaemonSet(object: JsonObject): ParsedObject<string | undefined> {
  try {
    const { annotations } = objectMeta(object);
    if (child(object, 'metadata')['deletionTimestamp'] !== undefined) {
      return { ok: true, value: 'is being deleted' };
    }
    const isReleased = annotations[RELEASE_ANNOTATION] === 'true';
    return { ok: true, value: isReleased ? `is annotated ${RELEASE_ANNOTATION}=true` : undefined };
  } catch (cause) {
    return { ok: false, error: errorMessage(cause) };
  }
}
