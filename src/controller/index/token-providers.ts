import type { TokenIssuer } from '#shared/route/token-issuer.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** Consul knows one JWTProvider of each name, whatever the namespace: of several the oldest. */
export function providersByName(objects: MeshObjects): ReadonlyMap<string, TokenIssuer> {
  const all = [...objects.jwtProviders.all()].map(({ object, value }) => {
    const { creationTimestamp, name, namespace } = object.metadata;
    return { age: `${creationTimestamp} ${namespace}`, name, value };
  });
  const found = new Map<string, TokenIssuer>();
  for (const { name, value } of all.toSorted((a, b) => (a.age < b.age ? -1 : 1)))
    if (!found.has(name)) found.set(name, value);
  return found;
}
