import { OF_CANARY } from '#shared/workload/waypoint.ts';
import { usedWaypoint } from '../../cluster/mesh-labels.ts';
import { conditionsOf, fullName, type KubeObject } from '../../cluster/kube-object.ts';
import { isProgrammed, isWaypoint, notProgrammedReason } from '../../commands/waypoint/gateway.ts';
import { type Check, noneOf, unknown } from '../check.ts';

const category = 'waypoints';
const WAYPOINT_BOUND = 'istio.io/WaypointBound';

export const WAYPOINT_CHECKS: readonly Check[] = [
  {
    category,
    id: 'waypoints-ready',
    description: 'every waypoint is ready',
    severity: 'fatal',
    run: ({ gateways, unlisted }) => {
      if (gateways === undefined) return unknown(whyNoGateways(unlisted));
      const waypoints = gateways.filter(isWaypoint);
      return noneOf(
        waypoints
          .filter(w => !isProgrammed(w))
          .map(
            w => `waypoint ${fullName(w)} is not ready: ${notProgrammedReason(w)}; its traffic is refused`,
          ),
        `${waypoints.length} waypoints`,
      );
    },
  },
  {
    category,
    id: 'waypoints-exist',
    description: 'every waypoint that labels ask for exists, and allows it',
    severity: 'fatal',
    run: ({ gateways, namespaces, services, unlisted }) => {
      if (gateways === undefined) return unknown(whyNoGateways(unlisted));
      const problems = [...namespaces, ...services].flatMap(object => {
        const used = usedWaypoint(
          object.labels,
          object.kind === 'Namespace' ? object.name : object.namespace,
          {},
        );
        const isThere =
          used === undefined ||
          gateways.some(g => isWaypoint(g) && g.name === used.name && g.namespace === used.namespace);
        return isThere
          ? []
          : [
              `${object.kind} ${fullName(object)} asks for waypoint ${used.namespace}/${used.name}, which does not exist: its traffic is refused; ambientctl waypoint apply -n ${used.namespace} --name ${used.name}`,
            ];
      });
      return noneOf([...problems, ...services.flatMap(deniedBinding)]);
    },
  },
  {
    category,
    id: 'waypoint-canaries',
    description: 'every canary of a waypoint gets its share of connections',
    severity: 'warning',
    run: ({ services }) =>
      noneOf(services.flatMap(s => unboundOf(s).flatMap(({ isCanary, shown }) => (isCanary ? [shown] : [])))),
  },
];

function whyNoGateways(unlisted: ReadonlySet<string>): string {
  return unlisted.has('gateways') ? 'Gateways cannot be listed' : 'the Gateway API is not installed';
}

/** What the controller says of a Service whose waypoint is there and not for it. */
function deniedBinding(service: KubeObject): string[] {
  return unboundOf(service).flatMap(({ isCanary, isDenied, shown }) =>
    isDenied && !isCanary ? [shown] : [],
  );
}

interface Unbound {
  /** Its waypoint takes its connections meanwhile. */
  readonly isCanary: boolean;
  readonly isDenied: boolean;
  readonly shown: string;
}

function unboundOf(service: KubeObject): readonly Unbound[] {
  return conditionsOf(service.status)
    .filter(({ status, type }) => type === WAYPOINT_BOUND && status === 'False')
    .map(({ message, reason }) => ({
      isCanary: message.startsWith(OF_CANARY),
      isDenied: reason === 'AttachmentDenied',
      shown: `Service ${fullName(service)}: ${message}`,
    }));
}
