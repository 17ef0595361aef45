import type { JsonObject } from '#shared/config/json.ts';
import type { KubeObject } from '../source/kube-object.ts';
import type { Condition } from './condition.ts';

/** What an object's status should say, as far as it is ours to say. */
export type DesiredStatus =
  | {
      readonly kind: 'conditions';
      readonly object: KubeObject;
      readonly conditions: readonly Condition[];
      /** Types that are ours on this kind: those that are not wanted now are taken away. */
      readonly owned: readonly string[];
      /** Fields that a kind wants beside its conditions. */
      readonly more?: JsonObject;
    }
  | { readonly kind: 'route'; readonly object: KubeObject; readonly parents: readonly DesiredParent[] }
  | { readonly kind: 'policy'; readonly object: KubeObject; readonly ancestors: readonly DesiredAncestor[] }
  | {
      readonly kind: 'gateway';
      readonly object: KubeObject;
      readonly conditions: readonly Condition[];
      readonly addresses: readonly JsonObject[];
      readonly listeners: readonly DesiredListener[];
    };

export interface DesiredParent {
  /** As the route writes it. */
  readonly parentRef: JsonObject;
  readonly conditions: readonly Condition[];
}

export interface DesiredAncestor {
  readonly ancestorRef: JsonObject;
  readonly conditions: readonly Condition[];
}

export interface DesiredListener {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}
