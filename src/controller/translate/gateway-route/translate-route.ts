import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { foreignParents, isForeign } from './foreign-parent.ts';
import { NO_ROUTES, type RouteKind, type RouteTranslation } from './route-translation.ts';

/** Gateway API routes attached to Services (GAMMA). One that is attached to nothing of a mesh is read by whoever it belongs to. */
export function translateRoute(
  kind: RouteKind,
  route: KubeObject,
  read: (spec: Fields) => RouteTranslation,
): Translated<RouteTranslation> {
  const diagnostics = new Diagnostics(route);
  for (const { fix, index, kind: parent } of foreignParents(route)) {
    const field = `spec.parentRefs[${index}].kind`;
    diagnostics.ignore(field, parent, 'is no parent of this mesh: the route does nothing for it', fix);
  }
  const translation = isForeign(route) ? undefined : readSpec(route, diagnostics, read);
  return diagnostics.conclude(translation ?? { kind, ...NO_ROUTES });
}
