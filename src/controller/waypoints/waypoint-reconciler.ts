import type { JsonObject } from '#shared/config/json.ts';
import { APPLY_PATCH, type KubeApi } from '#shared/kube/client.ts';
import { ifThere } from '#shared/kube/kube-error.ts';
import { type KubeResource, objectPath } from '#shared/kube/resource.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { KubeObject } from '../source/kube-object.ts';
import { objectAt, objectsAt, textAt } from '../translate/loose-fields.ts';
import { AUTO_WAYPOINT_NAME } from '../translate/waypoint-gateway/waypoint.ts';
import { autoWaypointGateway, GATEWAYS, isAutoWaypoint, wantsAutoWaypoint } from './auto-waypoint.ts';
import { type GatewaySpec, gatewaySpecOf } from './gateway-spec.ts';
import { MANAGED_KINDS } from './managed-kinds.ts';
import { type Manifest, MANAGED_LABEL, MANAGED_VALUE, renderWaypoint } from './render-waypoint.ts';
import type { WaypointTemplate } from './waypoint-template.ts';

/** What is asked of the index. */
export interface GatewayLookup {
  /** A Gateway that is a waypoint of ours, the last good one of it. */
  waypointGateway(namespace: string, name: string): KubeObject | undefined;
  /** Labels of a namespace; empty when it does not exist. */
  namespaceLabels(namespace: string): Readonly<Record<string, string>>;
}

export interface WaypointReconcilerOptions {
  readonly api: KubeApi;
  readonly objects: GatewayLookup;
  readonly template: WaypointTemplate;
  readonly logger: Logger;
}

const FIELD_MANAGER = 'ambient-mesh-waypoints';

/** An object that a waypoint needs has a name that somebody else's has: it is left alone. */
export class NameTakenError extends Error {
  override readonly name = 'NameTakenError';
}

/** Brings the objects of one waypoint to where its Gateway says. It reads both: a key carries no event. */
export class WaypointReconciler {
  readonly #options: WaypointReconcilerOptions;

  constructor(options: WaypointReconcilerOptions) {
    this.#options = options;
  }

  /** `Gateway/<namespace>/<name>` or `Namespace//<name>`. Rejects with what could not be done. */
  async reconcile(key: string): Promise<void> {
    const [kind, namespace = '', name = ''] = key.split('/');
    if (kind === 'Namespace') await this.#reconcileNamespace(name);
    else await this.#reconcileGateway(namespace, name);
  }

  async #reconcileGateway(namespace: string, name: string): Promise<void> {
    const { objects, template } = this.#options;
    const gateway = objects.waypointGateway(namespace, name);
    const spec = gateway && gatewaySpecOf(gateway);
    const manifests = spec === undefined ? [] : renderWaypoint(spec, template);
    if (spec !== undefined) for (const manifest of manifests) await this.#apply(manifest, spec);
    const wanted = new Set(manifests.map(({ resource }) => resource));
    // The last first: no pods without what they need.
    for (const resource of MANAGED_KINDS.toReversed())
      if (!wanted.has(resource)) await this.#removeLeftover(resource, namespace, name);
  }

  async #apply({ object, resource }: Manifest, gateway: GatewaySpec): Promise<void> {
    const { api } = this.#options;
    const { name, namespace } = gateway;
    const path = objectPath(resource, namespace, name);
    const present = await ifThere(api.request({ path }));
    const owner = present === undefined ? undefined : controllerOf(present);
    if (present !== undefined && owner !== gateway.uid) {
      if (!isManaged(present)) {
        throw new NameTakenError(
          `${resource.kind} ${namespace}/${name} exists and is not of this Gateway; rename the Gateway or delete it`,
        );
      }
      // Of a Gateway of this name that is gone: two controllers cannot own one object.
      if (owner !== undefined) await this.#delete(path, present);
    }
    await this.#patch(path, object);
  }

  /** Server-side apply: what others set and we do not stays, what we set and others changed comes back. */
  async #patch(path: string, body: JsonObject): Promise<void> {
    await this.#options.api.request({
      method: 'PATCH',
      path,
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      contentType: APPLY_PATCH,
      body,
    });
  }

  async #removeLeftover(resource: KubeResource, namespace: string, name: string): Promise<void> {
    const path = objectPath(resource, namespace, name);
    const present = await ifThere(this.#options.api.request({ path }));
    if (present === undefined || !isManaged(present)) return;
    await this.#delete(path, present);
    this.#options.logger.info('removed what no Gateway asks for', { kind: resource.kind, namespace, name });
  }

  async #reconcileNamespace(namespace: string): Promise<void> {
    const { api, logger, objects } = this.#options;
    const wanted = wantsAutoWaypoint(objects.namespaceLabels(namespace));
    const path = objectPath(GATEWAYS, namespace, AUTO_WAYPOINT_NAME);
    const present = await ifThere(api.request({ path }));
    const isOurs = present !== undefined && isAutoWaypoint(labelsOf(present));
    if (!wanted) {
      if (!isOurs) return;
      await this.#delete(path, present);
      logger.info('removed the waypoint of a namespace that no longer asks for one', { namespace });
      return;
    }
    // A Gateway of this name that a user made serves as well.
    if (present !== undefined && !isOurs) return;
    await this.#patch(path, autoWaypointGateway(namespace));
    if (present === undefined)
      logger.info('made a waypoint for a namespace that asks for one', { namespace });
  }

  /** Exactly the object that was looked at. */
  async #delete(path: string, present: JsonObject): Promise<void> {
    const uid = textAt(objectAt(present, 'metadata'), 'uid');
    const body = { propagationPolicy: 'Background', preconditions: { uid } };
    await ifThere(this.#options.api.request({ method: 'DELETE', path, body }));
  }
}

function labelsOf(object: JsonObject): Readonly<Record<string, string>> {
  const labels = objectAt(object, 'metadata', 'labels');
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function isManaged(object: JsonObject): boolean {
  return labelsOf(object)[MANAGED_LABEL] === MANAGED_VALUE;
}

/** Uid of the owner that controls it. */
function controllerOf(object: JsonObject): string | undefined {
  const owner = objectsAt(objectAt(object, 'metadata'), 'ownerReferences').find(
    reference => reference['controller'] === true,
  );
  return owner && textAt(owner, 'uid');
}
