import { child } from '#shared/config/json-fields.ts';
import { type KubeObject, text } from './kube-object.ts';

const WAYPOINT_CLASSES: ReadonlySet<string> = new Set(['ambient-waypoint', 'istio-waypoint']);
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';
const MANAGED_LABEL = 'gateway.istio.io/managed';
const MANAGER = 'istio.io-mesh-controller';
const HBONE_PORT = 15008;

export function isWaypointGateway(gateway: KubeObject): boolean {
  return WAYPOINT_CLASSES.has(text(child(gateway.body, 'spec'), 'gatewayClassName') ?? '');
}

/** Whether an object was made by `waypointObjects`, of whatever Gateway. */
export function isWaypointObject(object: KubeObject): boolean {
  const own = child(child(object.body, 'metadata'), 'labels');
  return own[MANAGED_LABEL] === MANAGER;
}

/** What a Deployment controller would have made of a waypoint's Gateway: service account, one pod, service. */
export function waypointObjects(gateway: KubeObject, nodeName: string): KubeObject[] {
  const { name, namespace } = gateway;
  const labels = {
    [GATEWAY_NAME_LABEL]: name,
    [MANAGED_LABEL]: MANAGER,
    'gateway.networking.k8s.io/gateway-class-name':
      text(child(gateway.body, 'spec'), 'gatewayClassName') ?? '',
    // A waypoint speaks HBONE itself; capturing it would send its traffic round in a circle.
    'istio.io/dataplane-mode': 'none',
    'networking.istio.io/tunnel': 'http',
    'service.istio.io/canonical-name': name,
  };
  return [
    object('ServiceAccount', name, namespace, labels, {}),
    object('Pod', `${name}-0`, namespace, labels, {
      spec: {
        nodeName,
        serviceAccountName: name,
        containers: [
          {
            name: 'waypoint',
            image: 'ambient-mesh/waypoint',
            command: ['node', 'src/waypoint/main.ts'],
            ports: [{ containerPort: HBONE_PORT }],
          },
        ],
      },
    }),
    object('Service', name, namespace, labels, {
      spec: {
        selector: { [GATEWAY_NAME_LABEL]: name },
        ports: [{ name: 'mesh', port: HBONE_PORT, targetPort: HBONE_PORT, appProtocol: 'all' }],
      },
    }),
  ];
}

function object(kind: string, name: string, namespace: string, labels: object, rest: object): KubeObject {
  const body = { apiVersion: 'v1', kind, metadata: { name, namespace, labels }, ...rest };
  return { apiVersion: 'v1', kind, name, namespace, body };
}
