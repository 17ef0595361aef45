import { objectAt, textAt, textMapAt } from '../translate/loose-fields.ts';
import type { KubeObject } from '../source/kube-object.ts';

/** A Gateway as the making of its waypoint needs it. */
export interface GatewaySpec {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly className: string;
  /** `spec.infrastructure`: put on everything that is made. */
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
}

/** Undefined while the source does not know its uid, without which nothing could be owned by it. */
export function gatewaySpecOf(gateway: KubeObject): GatewaySpec | undefined {
  const { name, namespace } = gateway.metadata;
  const uid = textAt(objectAt(gateway.body, 'metadata'), 'uid');
  const className = textAt(objectAt(gateway.spec), 'gatewayClassName');
  if (uid === undefined || className === undefined) return undefined;
  const infrastructure = objectAt(gateway.spec, 'infrastructure');
  return {
    name,
    namespace,
    uid,
    className,
    labels: textMapAt(infrastructure, 'labels'),
    annotations: textMapAt(infrastructure, 'annotations'),
  };
}
