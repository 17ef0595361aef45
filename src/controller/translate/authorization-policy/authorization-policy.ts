import type { AuthorizationPolicy, PolicyAction, Rule } from '#shared/authz/policy.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { l4Rules } from './l4-part.ts';
import { noReach, type PolicyReach, readReach } from './policy-reach.ts';
import { readRule } from './rule.ts';

/** One AuthorizationPolicy, for each tier that enforces it. */
export interface AuthorizationTranslation extends Omit<PolicyReach, 'namespace' | 'scope'> {
  /** For waypoints: all of it. */
  readonly full: AuthorizationPolicy;
  /** For ztunnels; undefined when only waypoints enforce it (targetRefs), or nothing of it can be enforced at L4. */
  readonly l4: AuthorizationPolicy | undefined;
}

export interface AuthorizationOptions {
  /** Policies in this namespace hold for the whole mesh; `istio-system` by default. */
  readonly rootNamespace: string;
  /** Of the mesh. */
  readonly trustDomain: string;
}

/** Istio AuthorizationPolicy. */
export function translateAuthorizationPolicy(
  object: KubeObject,
  options: AuthorizationOptions,
): Translated<AuthorizationTranslation> {
  const diagnostics = new Diagnostics(object);
  return diagnostics.conclude(readLoosely(object, options, diagnostics));
}

/** What can be read of it, whether it is good or not. */
export function readLoosely(
  object: KubeObject,
  options: AuthorizationOptions,
  diagnostics: Diagnostics,
): AuthorizationTranslation {
  return readSpec(object, diagnostics, spec => readPolicy(object, spec, options)) ?? nothing(object);
}

function readPolicy(
  object: KubeObject,
  spec: Fields,
  options: AuthorizationOptions,
): AuthorizationTranslation {
  const { namespace } = object.metadata;
  const action = readAction(spec);
  const provider = readProvider(spec, action);
  const isRoot = namespace === options.rootNamespace;
  const { scope, selects, selectsEveryNamespace, targets } = readReach(spec, namespace, isRoot);
  const rules = spec
    .objects('rules', fields => readRule(fields, action, namespace, options.trustDomain))
    .filter(rule => rule !== undefined);
  const full: AuthorizationPolicy = { ...identityOf(object), scope, action, rules, provider };
  return {
    full,
    l4: targets.length > 0 || !reachesZtunnel(action) ? undefined : l4Policy(full),
    selects,
    selectsEveryNamespace,
    targets,
  };
}

const ACTIONS = { ALLOW: 'allow', DENY: 'deny', AUDIT: 'audit', CUSTOM: 'custom' } as const;

function readAction(spec: Fields): PolicyAction {
  return ACTIONS[spec.oneOf('action', ['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']) ?? 'ALLOW'];
}

/** Who is asked, by action CUSTOM. */
function readProvider(spec: Fields, action: PolicyAction): string | undefined {
  const provider = spec.object('provider', fields => fields.requiredString('name'));
  if (action === 'custom' && !spec.has('provider'))
    spec.reject('provider', 'is required with CUSTOM', 'name a provider of the mesh');
  if (action !== 'custom' && spec.has('provider'))
    spec.reject('provider', 'has a meaning with CUSTOM only', 'set action CUSTOM, or remove it');
  return provider;
}

/** The other two are for waypoints. */
function reachesZtunnel(action: PolicyAction): boolean {
  return action === 'allow' || action === 'deny';
}

/** What a ztunnel can hold against a connection. */
function l4Policy(full: AuthorizationPolicy): AuthorizationPolicy | undefined {
  const { rules } = l4Rules(full.action, full.rules);
  // A DENY of which nothing is left would not deny; an ALLOW without rules is a default deny, and stays.
  const lostAll = full.action === 'deny' && rules.length === 0 && full.rules.length > 0;
  return lostAll ? undefined : { ...full, rules };
}

function identityOf(
  object: KubeObject,
): Pick<AuthorizationPolicy, 'name' | 'namespace' | 'dryRun' | 'provider'> {
  const { name, namespace, annotations } = object.metadata;
  return { name, namespace, dryRun: annotations['istio.io/dry-run'] === 'true', provider: undefined };
}

function nothing(object: KubeObject): AuthorizationTranslation {
  const rules: readonly Rule[] = [];
  const { scope, ...reach } = noReach(object.metadata.namespace);
  return { full: { ...identityOf(object), scope, action: 'allow', rules }, l4: undefined, ...reach };
}
