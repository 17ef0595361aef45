import type { JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { Informer } from '#shared/kube/informer.ts';
import type { KubeResource } from '#shared/kube/resource.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { ChangedObject } from '../index/change-scope.ts';
import type { LeaderTask } from '../kube/leadership.ts';
import { WorkQueue } from '../kube/work-queue.ts';
import { AUTO_WAYPOINT_NAME } from '../translate/waypoint-gateway/waypoint.ts';
import { objectAt, textAt } from '../translate/loose-fields.ts';
import { ensureGatewayClasses } from './gateway-classes.ts';
import { MANAGED_KINDS } from './managed-kinds.ts';
import { MANAGED_LABEL, MANAGED_VALUE } from './render-waypoint.ts';
import { type GatewayLookup, WaypointReconciler } from './waypoint-reconciler.ts';
import type { WaypointTemplate } from './waypoint-template.ts';

export interface WaypointDeploymentsOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly template: WaypointTemplate;
  readonly objects: GatewayLookup & {
    /** `Gateway/<namespace>/<name>` and `Namespace//<name>` of all there are. */
    waypointKeys(): readonly string[];
  };
  /** Tells of changes of the index. @returns what ends that */
  readonly onIndexChange: (listener: (changed: readonly ChangedObject[]) => void) => () => void;
  /** A waypoint could be made (`undefined`) or not, and why. */
  readonly onOutcome: (key: string, failure: string | undefined) => void;
}

const CONCURRENCY = 4;
const PER_SECOND = 10;
const BURST = 50;
/** Whatever was missed is found by looking at everything. */
const RESYNC_MS = 5 * 60_000;
const CLASSES = 'GatewayClass';

/** Makes the waypoints that Gateways ask for, repairs what is changed about them, removes what nobody asks for. */
export class WaypointDeployments implements LeaderTask {
  readonly name = 'waypoints';
  readonly #options: WaypointDeploymentsOptions;
  #queue: WorkQueue | undefined;
  #informers: readonly Informer[] = [];
  #resync: Timer | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: WaypointDeploymentsOptions) {
    this.#options = options;
  }

  start(): void {
    const { api, clock, logger, onIndexChange, random } = this.#options;
    const queue = this.#makeQueue();
    this.#queue = queue;
    this.#unsubscribe = onIndexChange(changed => {
      for (const { kind, name, namespace } of changed) {
        if (kind === 'Gateway' || kind === 'Namespace') queue.add(`${kind}/${namespace}/${name}`);
        // The namespace may ask for one, whatever became of this.
        if (kind === 'Gateway' && name === AUTO_WAYPOINT_NAME) queue.add(`Namespace//${namespace}`);
      }
    });
    this.#informers = MANAGED_KINDS.map(resource => {
      const seen = new Fingerprints();
      return new Informer({
        api,
        clock,
        random,
        logger,
        resource,
        labelSelector: `${MANAGED_LABEL}=${MANAGED_VALUE}`,
        metadataOnly: true,
        onChange: ({ deletes, upserts }) => {
          for (const object of upserts) {
            const metadata = objectAt(object, 'metadata');
            const key = `Gateway/${textAt(metadata, 'namespace') ?? ''}/${textAt(metadata, 'name') ?? ''}`;
            if (seen.isNew(key, metadata, resource)) queue.add(key);
          }
          for (const { name, namespace } of deletes) {
            seen.forget(`Gateway/${namespace}/${name}`);
            queue.add(`Gateway/${namespace}/${name}`);
          }
        },
      });
    });
    for (const informer of this.#informers) informer.start();
    this.#addAll(queue);
    queue.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#resync?.cancel();
    await Promise.all([this.#queue?.stop(), ...this.#informers.map(informer => informer.stop())]);
    this.#informers = [];
  }

  #makeQueue(): WorkQueue {
    const { api, clock, logger, onOutcome, random } = this.#options;
    const reconciler = new WaypointReconciler(this.#options);
    return new WorkQueue({
      clock,
      random,
      concurrency: CONCURRENCY,
      perSecond: PER_SECOND,
      burst: BURST,
      process: async key => {
        if (key === CLASSES) return ensureGatewayClasses(api);
        await reconciler.reconcile(key);
        onOutcome(key, undefined);
      },
      onFailure: (key, error, waitMs) => {
        const reason = errorMessage(error);
        logger.warn('waypoint is not as its Gateway asks, trying again', { object: key, reason, waitMs });
        onOutcome(key, reason);
      },
    });
  }

  #addAll(queue: WorkQueue): void {
    queue.add(CLASSES);
    for (const key of this.#options.objects.waypointKeys()) queue.add(key);
    this.#resync = this.#options.clock.setTimer(RESYNC_MS, () => this.#addAll(queue));
  }
}

/** Of a Deployment whose pods come and go, only its status changes: no reason to look at the waypoint again. */
class Fingerprints {
  readonly #known = new Map<string, string>();

  isNew(key: string, metadata: JsonObject, { kind }: KubeResource): boolean {
    const { annotations, generation, labels, ownerReferences, resourceVersion } = metadata;
    const version =
      kind === 'Deployment' || kind === 'HorizontalPodAutoscaler' ? generation : resourceVersion;
    const print = JSON.stringify([version ?? resourceVersion, annotations, labels, ownerReferences]);
    if (this.#known.get(key) === print) return false;
    this.#known.set(key, print);
    return true;
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}
