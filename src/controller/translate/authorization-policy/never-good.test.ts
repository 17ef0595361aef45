import { test } from 'tap';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { translateAuthorizationPolicy } from './authorization-policy.ts';
import { closedWhereNeverGood } from './never-good.ts';

const OPTIONS = { rootNamespace: 'istio-system', trustDomain: 'cluster.local' };
const BAD_RULE = { from: [{ source: { ipBlocks: ['10.0.0.0/33'] } }] };
const BAD_RULES = { rules: [BAD_RULE] };
const GOOD_RULE = { from: [{ source: { namespaces: ['shop'] } }] };
const SELECTOR = { selector: { matchLabels: { app: 'payments' } } };
const TARGET = { targetRefs: [{ kind: 'Service', group: '', name: 'payments' }] };

interface Row {
  readonly name: string;
  readonly spec: object;
  readonly closed: object | undefined;
}

const nobody = { action: 'allow', rules: [] };
const rows: readonly Row[] = [
  {
    name: 'a wrong rule of an ALLOW lets in nobody',
    spec: { ...SELECTOR, ...BAD_RULES },
    closed: {
      full: { ...nobody, scope: 'workload_selector' },
      l4: nobody,
      selects: new Map([['app', 'payments']]),
    },
  },
  {
    name: 'an ALLOW of a namespace, with action',
    spec: { action: 'ALLOW', ...BAD_RULES },
    closed: { full: { ...nobody, scope: 'namespace' }, l4: nobody, selects: undefined },
  },
  {
    name: 'an ALLOW that is attached is a waypoint’s alone',
    spec: { ...TARGET, ...BAD_RULES },
    closed: { full: nobody, l4: undefined, targets: [{ kind: 'Service', name: 'payments' }] },
  },
  {
    name: 'rules beside a wrong one let in whom they name',
    spec: { ...SELECTOR, rules: [BAD_RULE, GOOD_RULE, 'no rule'] },
    closed: {
      full: { action: 'allow', rules: { length: 1 }, scope: 'workload_selector' },
      l4: { rules: [{ clauses: [{ matches: [{ namespaces: [{ kind: 'exact', value: 'shop' }] }] }] }] },
    },
  },
  { name: 'rules that are no list', spec: { ...SELECTOR, rules: 'all' }, closed: { full: nobody } },
  {
    name: 'whom a DENY is against is not known',
    spec: { ...SELECTOR, action: 'DENY', ...BAD_RULES },
    closed: undefined,
  },
  {
    name: 'an AUDIT lets in everybody',
    spec: { ...SELECTOR, action: 'AUDIT', ...BAD_RULES },
    closed: undefined,
  },
  {
    name: 'an action that is none may have been another',
    spec: { action: 'Deny', ...BAD_RULES },
    closed: undefined,
  },
  {
    name: 'a selector that cannot be read',
    spec: { selector: { matchLabels: { app: 1 } }, ...BAD_RULES },
    closed: undefined,
  },
  {
    name: 'a misspelt selector: it would be for all',
    spec: { selectors: SELECTOR.selector, ...BAD_RULES },
    closed: undefined,
  },
  {
    name: 'a target that cannot be read',
    spec: { targetRefs: [{ kind: 'Pod', name: 'p' }], ...BAD_RULES },
    closed: undefined,
  },
  { name: 'a provider: CUSTOM was meant', spec: { ...SELECTOR, provider: { name: 'a' } }, closed: undefined },
];

for (const { name, spec, closed } of rows)
  test(`what holds of a policy that was never good: ${name}`, t => {
    const object = kubeObject('AuthorizationPolicy', spec);
    t.notOk(translateAuthorizationPolicy(object, OPTIONS).ok);
    const found = closedWhereNeverGood(object, OPTIONS);
    if (closed === undefined) t.equal(found, undefined);
    else t.match(found, closed);
    t.end();
  });

test('what holds of a policy that was never good: one for a trial stays one', t => {
  const object = kubeObject('AuthorizationPolicy', { ...SELECTOR, ...BAD_RULES });
  const annotations = { 'istio.io/dry-run': 'true' };
  const trial = { ...object, metadata: { ...object.metadata, annotations } };
  t.match(closedWhereNeverGood(trial, OPTIONS), { full: { dryRun: true }, l4: { dryRun: true } });
  t.end();
});

test('what holds of a policy that was never good: without a spec nothing', t => {
  const object = { ...kubeObject('AuthorizationPolicy', {}), spec: 'none' };
  t.equal(closedWhereNeverGood(object, OPTIONS), undefined);
  t.end();
});
