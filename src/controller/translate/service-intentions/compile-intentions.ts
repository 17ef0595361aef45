import { EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { AuthorizationPolicy, Clause, Rule, ServiceAccountMatch } from '#shared/authz/policy.ts';
import type { TokenIssuer } from '#shared/route/token-issuer.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { allowRules, denyRules } from './permission-rules.ts';
import type { ServiceIntentions, Verdict } from './service-intentions.ts';
import type { TokenWish } from './token-wish.ts';
import { withTokens } from './with-tokens.ts';

export interface IntentionOptions {
  /** What holds where no intention says anything; Consul's ACL default policy. */
  readonly defaultAction: 'allow' | 'deny';
  /**
   * Service accounts of the workloads behind a Consul service: of the pods of the Service of that name, or of that name
   * itself. Empty when nothing of that name is known.
   */
  accountsOf(serviceName: string): readonly ServiceAccountMatch[];
  /** Services of this name, `<namespace>/<name>`, whose requests pass no waypoint. */
  withoutWaypoint(serviceName: string): readonly string[];
  /** The JWTProvider of a name, in whichever namespace it is. */
  providerOf(name: string): TokenIssuer | undefined;
}

/** One policy and the workloads it is to be named for in `authorizationPolicies`. */
export interface IntentionPolicy {
  readonly policy: AuthorizationPolicy;
  /** `others`: every workload whose service account no other of these policies is for. */
  readonly selects: readonly ServiceAccountMatch[] | 'others';
  /** Whose tokens it asks for. */
  readonly issuers: readonly TokenIssuer[];
}

export interface CompiledIntentions {
  readonly policies: readonly IntentionPolicy[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Policies with the meaning of all intentions together. For a source and a destination the most exact intention counts:
 * exact to exact, any to exact, exact to any, any to any.
 */
export function compileIntentions(
  all: readonly ServiceIntentions[],
  options: IntentionOptions,
): CompiledIntentions {
  const diagnostics: Diagnostic[] = [];
  const byDestination = oneForEachDestination(all, diagnostics);
  const wildcard = byDestination.get('*');
  const policies: IntentionPolicy[] = [];
  const add = (levels: Levels, selects: IntentionPolicy['selects']): void => {
    const [intentions] = levels;
    const verdicts = verdictsFor(levels, options);
    reportInVain(intentions, verdicts, diagnostics);
    reportProviders(intentions, options, diagnostics);
    const policy = policyOf(verdicts, intentions, options, diagnostics);
    policies.push({ policy, selects, issuers: issuersOf(levels, options) });
  };
  for (const [destination, intentions] of byDestination) {
    if (destination === '*') continue;
    const selects = accounts(intentions, destination, options, diagnostics);
    reportUnseen(intentions, options, diagnostics);
    add(wildcard === undefined ? [intentions] : [intentions, wildcard], selects);
  }
  if (wildcard !== undefined) add([wildcard], 'others');
  return { policies, diagnostics };
}

/** What is said of a destination, the most exact first. */
type Levels = readonly [ServiceIntentions, ...ServiceIntentions[]];

/** Consul holds one set of intentions for a destination: the oldest counts. */
function oneForEachDestination(
  all: readonly ServiceIntentions[],
  diagnostics: Diagnostic[],
): Map<string, ServiceIntentions> {
  const found = new Map<string, ServiceIntentions>();
  const key = (one: ServiceIntentions): string => `${one.creationTimestamp} ${one.namespace}/${one.name}`;
  for (const one of all.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))) {
    const first = found.get(one.destination);
    if (first === undefined) found.set(one.destination, one);
    else {
      const message = `ServiceIntentions ${first.namespace}/${first.name} is for the same destination and older`;
      report(
        diagnostics,
        one,
        'spec.destination.name',
        one.destination,
        message,
        'put all sources into one object',
        'rejected',
      );
    }
  }
  return found;
}

interface Verdicts {
  readonly named: ReadonlyMap<string, Verdict>;
  readonly others: Verdict;
  /** No intention says what holds for others. */
  readonly isDefault: boolean;
}

/** What holds for each source of one destination. */
function verdictsFor(
  levels: Levels,
  { defaultAction, providerOf }: Pick<IntentionOptions, 'defaultAction' | 'providerOf'>,
): Verdicts {
  const named = new Map<string, Verdict>();
  const required: (readonly TokenWish[])[] = [];
  // What the destination itself asks for, it asks of everybody, whichever object says who may come.
  const asked = (verdict: Verdict): Verdict =>
    withTokens(verdict, required, name => providerOf(name)?.issuer);
  for (const { sources, tokens } of levels) {
    if (tokens !== undefined) required.push(tokens);
    let others: Verdict | undefined;
    for (const { name, verdict } of sources) {
      if (name === '*') others = asked(verdict);
      else if (!named.has(name)) named.set(name, asked(verdict));
    }
    // Any source to this destination counts more than a named source to any destination.
    if (others !== undefined) return { named, others, isDefault: false };
  }
  return { named, others: asked(defaultAction), isDefault: true };
}

function issuersOf(
  levels: Levels,
  { providerOf }: Pick<IntentionOptions, 'providerOf'>,
): readonly TokenIssuer[] {
  const names = new Set(levels.flatMap(providersOf));
  return [...names]
    .sort()
    .map(providerOf)
    .filter(one => one !== undefined);
}

function providersOf({ sources, tokens = [] }: ServiceIntentions): readonly string[] {
  const ofPermissions = sources.flatMap(({ verdict }) =>
    typeof verdict === 'string' ? [] : verdict.flatMap(permission => permission.tokens ?? []),
  );
  return [...tokens, ...ofPermissions].map(({ provider }) => provider);
}

function reportProviders(
  intentions: ServiceIntentions,
  { providerOf }: Pick<IntentionOptions, 'providerOf'>,
  diagnostics: Diagnostic[],
): void {
  for (const name of new Set(providersOf(intentions))) {
    if (providerOf(name) !== undefined) continue;
    const message = `asks for tokens of JWTProvider ${name}, which is not there, or was never valid: what it would allow for them is denied`;
    report(diagnostics, intentions, 'spec', name, message, 'create it or correct the name', 'ignored');
  }
}

/**
 * Where others are allowed, a DENY for what is denied; else an ALLOW for what is allowed. Bears the name of the most exact
 * object: a refusal's reason is to lead the operator to it.
 */
function policyOf(
  verdicts: Verdicts,
  intentions: ServiceIntentions,
  options: IntentionOptions,
  diagnostics: Diagnostic[],
): AuthorizationPolicy {
  const action = verdicts.others === 'allow' ? 'deny' : 'allow';
  const rules: Rule[] = [];
  const named: ServiceAccountMatch[] = [];
  for (const [source, verdict] of verdicts.named) {
    const serviceAccounts = accounts(intentions, source, options, diagnostics);
    if (serviceAccounts.length === 0) continue;
    named.push(...serviceAccounts);
    rules.push(...rulesOf(action, verdict, [{ matches: [{ ...EMPTY_MATCH, serviceAccounts }] }]));
  }
  if (typeof verdicts.others !== 'string') {
    const others = { matches: [{ ...EMPTY_MATCH, notServiceAccounts: named }] };
    rules.push(...rulesOf(action, verdicts.others, named.length === 0 ? [] : [others]));
  }
  // As `kubectl get serviceintentions` finds it. No object's name holds an underscore, so this one meets no other.
  const name = `serviceintentions_${intentions.name}`;
  return {
    name,
    namespace: intentions.namespace,
    scope: 'workload_selector',
    action,
    rules,
    dryRun: false,
    provider: undefined,
  };
}

function rulesOf(action: 'allow' | 'deny', verdict: Verdict, source: readonly Clause[]): readonly Rule[] {
  if (typeof verdict === 'string') return verdict === action ? [{ clauses: source }] : [];
  return action === 'allow' ? allowRules(verdict, source) : denyRules(verdict, source);
}

/** Requests that pass no waypoint are seen by nobody: their connections are refused, as Consul does where it cannot see them. */
function reportUnseen(
  intentions: ServiceIntentions,
  options: IntentionOptions,
  diagnostics: Diagnostic[],
): void {
  intentions.sources.forEach(({ name, verdict }, index) => {
    if (verdict === 'deny' || (verdict === 'allow' && intentions.tokens === undefined)) return;
    const field = `spec.sources[${index}]${typeof verdict === 'string' ? '' : '.permissions'}`;
    for (const service of options.withoutWaypoint(intentions.destination)) {
      const source = name === '*' ? 'every other source' : name;
      const message = `Service ${service} uses no waypoint, so nobody sees its requests: connections of ${source} are refused`;
      const fix = 'label the Service istio.io/use-waypoint';
      report(diagnostics, intentions, field, name, message, fix, 'ignored');
    }
  });
}

/** With ACLs, as Consul is mostly run, what nobody allows is denied; here it is allowed, and an intention that allows adds nothing. */
function reportInVain(
  intentions: ServiceIntentions,
  { isDefault, others }: Verdicts,
  diagnostics: Diagnostic[],
): void {
  if (!isDefault || others !== 'allow' || intentions.tokens !== undefined) return;
  intentions.sources.forEach(({ name, verdict }, index) => {
    // With permissions a source may do less than others.
    if (verdict !== 'allow') return;
    const message =
      'allows what everybody may: no intention says what holds for other sources, and here the default is to allow';
    const fix = 'add a source "*" with action deny, or ServiceIntentions of destination "*" that deny "*"';
    report(diagnostics, intentions, `spec.sources[${index}]`, name, message, fix, 'ignored');
  });
}

function accounts(
  intentions: ServiceIntentions,
  service: string,
  options: IntentionOptions,
  diagnostics: Diagnostic[],
): readonly ServiceAccountMatch[] {
  const found = options.accountsOf(service);
  if (found.length === 0) {
    const message = 'there is no Service or service account of this name: the intention has no effect for it';
    report(diagnostics, intentions, 'spec', service, message, 'create it or correct the name', 'ignored');
  }
  return found;
}

function report(
  diagnostics: Diagnostic[],
  intentions: ServiceIntentions,
  field: string,
  value: string,
  message: string,
  fix: string,
  severity: Diagnostic['severity'],
): void {
  const object = `ServiceIntentions ${intentions.namespace}/${intentions.name}`;
  diagnostics.push({ object, field, value: JSON.stringify(value), message, fix, severity });
}
