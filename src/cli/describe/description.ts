/** What applies to something, hop by hop, in the order in which a connection to it meets them. */
export interface Description {
  readonly title: string;
  readonly facts: readonly Fact[];
  /** What the hops are. */
  readonly hopsTitle: string;
  readonly hops: readonly Hop[];
  /** What is odd, with what to do. */
  readonly warnings: readonly string[];
}

export interface Fact {
  readonly name: string;
  readonly value: string;
}

export interface Hop {
  readonly name: string;
  /** Why traffic passes here. */
  readonly why: string;
  readonly facts: readonly Fact[];
  /** In the order in which they are evaluated; undefined: not evaluated here. */
  readonly policies: readonly PolicyLine[] | undefined;
  /** Undefined: there are none here. */
  readonly routes: readonly RouteLine[] | undefined;
}

export interface PolicyLine {
  readonly name: string;
  readonly action: string;
  readonly scope: string;
  readonly dryRun: boolean;
}

export interface RouteLine {
  /** `HTTPRoute/shop/split` and the rule's own name or number. */
  readonly name: string;
  readonly ports: string;
  readonly backends: string;
  /** Of the object it is of: `accepted`, or why not. */
  readonly state: string;
}

const ORDER = ['custom', 'deny', 'allow', 'audit'];

/** DENY before ALLOW; within an action as the proxy has them. */
export function inEvaluationOrder(policies: readonly PolicyLine[]): PolicyLine[] {
  return policies.toSorted((a, b) => ORDER.indexOf(a.action) - ORDER.indexOf(b.action));
}

/** What a connection meets that no policy names. */
export function verdictOf(policies: readonly PolicyLine[]): string {
  const inForce = policies.filter(p => !p.dryRun);
  if (inForce.some(p => p.action === 'allow')) return 'what no ALLOW policy matches is denied';
  return inForce.length === 0
    ? 'no policy: whatever gets here is allowed'
    : 'what no DENY policy matches is allowed';
}
