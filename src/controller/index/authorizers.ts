import type { AuthorizationPolicy } from '#shared/authz/policy.ts';
import type { ServiceRoutes } from '#shared/route/model.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** The providers that policies name. One that is not there refuses what is given to it. */
export function authorizersOf(
  objects: MeshObjects,
  policies: readonly AuthorizationPolicy[],
): ServiceRoutes['authorizers'] {
  const wanted = new Set(policies.map(({ provider }) => provider));
  return [...objects.meshConfigs.all()].flatMap(({ value }) =>
    value.authorizers.filter(({ name }) => wanted.has(name)),
  );
}
