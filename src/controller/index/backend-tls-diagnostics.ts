import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import { backendTls } from './backend-tls.ts';
import { resolveAuthorities } from './ca-authorities.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { TlsOverride } from './with-backend-tls.ts';

const TARGETS = 'spec.targetRefs';
const AUTHORITIES = 'spec.validation.caCertificateRefs';

/** What is wrong with BackendTLSPolicies that are well-formed: among each other, with what they refer to, beside DestinationRules. */
export function backendTlsDiagnostics(
  objects: MeshObjects,
  overrides: readonly TlsOverride[],
): readonly Diagnostic[] {
  const { outcomes } = backendTls(objects);
  return [...objects.backendTlsPolicies.all()].flatMap(({ object, value }) => {
    const { name, namespace } = object.metadata;
    const said = new Diagnostics(object);
    const key = `BackendTLSPolicy/${namespace}/${name}`;
    for (const { fault, target } of outcomes.get(key) ?? [])
      if (fault !== undefined) said.ignore(TARGETS, target.name, fault.message, fault.fix);
    for (const override of overrides)
      if (override.policy === key)
        said.ignore(TARGETS, override.service, overrideMessage(override), OVERRIDE_FIX);
    const { faults, noneValid } = resolveAuthorities(objects, namespace, value);
    const names = value.authorities?.map(reference => reference.shown);
    for (const { message } of faults) {
      if (noneValid) said.reject(AUTHORITIES, names, message, AUTHORITIES_FIX);
      else said.ignore(AUTHORITIES, names, message, AUTHORITIES_FIX);
    }
    return said.found;
  });
}

export const OVERRIDE_FIX = 'keep one of the two';
const AUTHORITIES_FIX = 'name a ConfigMap of this namespace with the authorities in ca.crt';

/** Of a policy that gives way: where, and to what. */
export function overrideMessage({ isWhole, ports, rules, service, subsets }: TlsOverride): string {
  const what = `${rules.join(', ')} sets trafficPolicy.tls for ${service.split('/')[1]}`;
  if (isWhole) return `${what}, and goes before`;
  const places = [
    ...(ports.length === 0 ? [] : [`port ${ports.join(', ')}`]),
    ...(subsets.length === 0 ? [] : [`subset ${subsets.join(', ')}`]),
  ];
  return `${what}, ${places.join(' and ')}, and goes before there`;
}
