import type { KubeObject } from '../source/kube-object.ts';
import type { AuthorizationTranslation } from '../translate/authorization-policy/authorization-policy.ts';
import { closedWhereNeverGood } from '../translate/authorization-policy/never-good.ts';
import { type Diagnostic, Diagnostics } from '../translate/diagnostic.ts';
import { objectAt } from '../translate/loose-fields.ts';
import { strictWhereNeverGood } from '../translate/peer-authentication/never-good.ts';
import type { PeerAuthentication } from '../translate/peer-authentication/peer-authentication.ts';
import type { MeshObjects } from './mesh-objects.ts';
import type { Entry } from './parsed-kind.ts';

/** What holds of policies that were never good, and what is said of them. */
export interface PoliciesThatClose {
  readonly authorizations: readonly AuthorizationTranslation[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Policies without a version that was good close what they are for, where it is certain that they would have closed something. */
export function policiesThatClose(objects: MeshObjects): PoliciesThatClose {
  const authorizations: AuthorizationTranslation[] = [];
  const peerAuthentications: PeerAuthentication[] = [];
  const diagnostics: Diagnostic[] = [];
  const { cluster, rootNamespace } = objects.options;
  const { trustDomain } = cluster;
  for (const object of neverGood(objects.authorizationPolicies.entries())) {
    const closed = closedWhereNeverGood(object, { rootNamespace, trustDomain });
    if (closed === undefined) continue;
    authorizations.push(closed);
    diagnostics.push(...said(object, 'rules', 'an ALLOW of which the wrong rules let in nobody until it is'));
  }
  for (const object of neverGood(objects.peerAuthentications.entries())) {
    const strict = strictWhereNeverGood(object);
    if (strict === undefined) continue;
    peerAuthentications.push(strict);
    diagnostics.push(...said(object, 'portLevelMtls', 'STRICT holds for every port until it is'));
  }
  return { authorizations, peerAuthentications, diagnostics };
}

function* neverGood(entries: Iterable<Entry<unknown>>): Generator<KubeObject> {
  for (const { good, latest } of entries) if (good === undefined) yield latest;
}

function said(object: KubeObject, field: string, effect: string): readonly Diagnostic[] {
  const diagnostics = new Diagnostics(object);
  const fix = 'correct what is rejected, or remove the policy';
  diagnostics.reject(`spec.${field}`, objectAt(object.spec)[field], `was never valid: ${effect}`, fix);
  return diagnostics.found;
}
