import fc from 'fast-check';
import { BlockList } from 'node:net';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { compile } from './compile.ts';
import { authzConnection, type AuthzConnectionInput } from './connection.ts';
import { evaluate } from './evaluate.ts';
import type { AuthorizationPolicy, CidrMatch, Match, StringMatch } from './policy.ts';

const text = fc.constantFrom('td/ns/a/sa/x', 'td/ns/b/sa/x', 'td/ns/a/', '/sa/x', 'a', 'b', 'td');
const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom('exact', 'prefix', 'suffix'), value: text }),
  fc.constant<StringMatch>({ kind: 'presence' }),
);
const strings = fc.array(stringMatch, { maxLength: 2 });
const account = fc.record({
  namespace: fc.constantFrom('a', 'b', ''),
  serviceAccount: fc.constantFrom('x', 'y'),
});
const ip = fc.constantFrom('10.0.0.1', '10.0.0.129', '10.1.0.1', 'fd00::1', 'fd00:1::1');
const range: fc.Arbitrary<CidrMatch> = ip.chain(address =>
  fc.record({ ip: fc.constant(address), prefixLength: fc.nat(address.includes(':') ? 128 : 32) }),
);
const ranges = fc.array(range, { maxLength: 2 });
const ports = fc.subarray([80, 8080]);
const match: fc.Arbitrary<Match> = fc.record({
  namespaces: strings,
  notNamespaces: strings,
  serviceAccounts: fc.array(account, { maxLength: 2 }),
  notServiceAccounts: fc.array(account, { maxLength: 2 }),
  principals: strings,
  notPrincipals: strings,
  sourceIps: ranges,
  notSourceIps: ranges,
  destinationIps: ranges,
  notDestinationIps: ranges,
  destinationPorts: ports,
  notDestinationPorts: ports,
  trustDomains: strings,
  notTrustDomains: strings,
  serverNames: strings,
  notServerNames: strings,
  http: fc.constant(undefined),
});
/** Most fields unset, or hardly anything would ever match. */
const sparse = fc.tuple(match, fc.subarray(Array.from('abcdefghijklmnop'))).map(([full, kept]): Match => {
  const keep = <T>(letter: string, list: readonly T[]): readonly T[] => (kept.includes(letter) ? list : []);
  return {
    namespaces: keep('a', full.namespaces),
    notNamespaces: keep('b', full.notNamespaces),
    serviceAccounts: keep('c', full.serviceAccounts),
    notServiceAccounts: keep('d', full.notServiceAccounts),
    principals: keep('e', full.principals),
    notPrincipals: keep('f', full.notPrincipals),
    sourceIps: keep('g', full.sourceIps),
    notSourceIps: keep('h', full.notSourceIps),
    destinationIps: keep('i', full.destinationIps),
    notDestinationIps: keep('j', full.notDestinationIps),
    destinationPorts: keep('k', full.destinationPorts),
    notDestinationPorts: keep('l', full.notDestinationPorts),
    serverNames: keep('m', full.serverNames),
    notServerNames: keep('n', full.notServerNames),
    trustDomains: keep('o', full.trustDomains),
    notTrustDomains: keep('p', full.notTrustDomains),
    http: undefined,
  };
});
const policy: fc.Arbitrary<AuthorizationPolicy> = fc.record({
  name: fc.constant('p'),
  namespace: fc.constantFrom('a', 'b'),
  scope: fc.constant('namespace'),
  action: fc.constantFrom('allow', 'deny'),
  rules: fc.array(
    fc.record({
      clauses: fc.array(fc.record({ matches: fc.array(sparse, { maxLength: 2 }) }), { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
  dryRun: fc.constant(false),
  provider: fc.constant(undefined),
});
const connection: fc.Arbitrary<AuthzConnectionInput> = fc.record({
  sourceIdentity: fc.constantFrom(
    undefined,
    'spiffe://td/ns/a/sa/x',
    'spiffe://td/ns/b/sa/y',
    'spiffe://td/vm',
  ),
  sourceIp: ip,
  destinationIp: ip,
  destinationPort: fc.constantFrom(80, 8080, 9090),
  serverName: fc.constantFrom('a', 'td/ns/a', 'b'),
});

/** The semantics of the wire protocol, word for word, with the runtime's own address ranges. */
function reference(policies: readonly AuthorizationPolicy[], c: AuthzConnectionInput): boolean {
  const holds = (p: AuthorizationPolicy): boolean =>
    p.rules.some(rule =>
      rule.clauses.every(clause => clause.matches.some(m => matchHolds(m, c, p.namespace))),
    );
  if (policies.some(p => p.action === 'deny' && holds(p))) return false;
  const allow = policies.filter(p => p.action === 'allow');
  return allow.length === 0 || allow.some(holds);
}

function matchHolds(m: Match, c: AuthzConnectionInput, own: string): boolean {
  const principal = c.sourceIdentity?.replace('spiffe://', '');
  const [, namespace, serviceAccount] = /^[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(principal ?? '') ?? [];
  const field = <T>(values: readonly T[], notValues: readonly T[], holds: (value: T) => boolean): boolean =>
    (values.length === 0 || values.some(holds)) && !notValues.some(holds);
  return (
    field(m.namespaces, m.notNamespaces, s => stringHolds(s, namespace)) &&
    field(m.principals, m.notPrincipals, s => stringHolds(s, principal)) &&
    field(
      m.serviceAccounts,
      m.notServiceAccounts,
      s => s.serviceAccount === serviceAccount && (s.namespace === '' ? own : s.namespace) === namespace,
    ) &&
    field(m.sourceIps, m.notSourceIps, s => rangeHolds(s, c.sourceIp)) &&
    field(m.destinationIps, m.notDestinationIps, s => rangeHolds(s, c.destinationIp)) &&
    field(m.destinationPorts, m.notDestinationPorts, s => s === c.destinationPort) &&
    field(m.trustDomains, m.notTrustDomains, s => stringHolds(s, principal?.replace(/\/.*/, ''))) &&
    field(m.serverNames, m.notServerNames, s => stringHolds(s, c.serverName))
  );
}

function stringHolds(m: StringMatch, value: string | undefined): boolean {
  if (value === undefined) return false;
  if (!('value' in m)) return true;
  if (m.kind === 'exact') return m.value === value;
  return m.kind === 'prefix' ? value.startsWith(m.value) : value.endsWith(m.value);
}

function rangeHolds(cidr: CidrMatch, address: string): boolean {
  const family = (text: string): 'ipv4' | 'ipv6' => (text.includes(':') ? 'ipv6' : 'ipv4');
  if (family(cidr.ip) !== family(address)) return false;
  const list = new BlockList();
  list.addSubnet(cidr.ip, cidr.prefixLength, family(cidr.ip));
  return list.check(address, family(address));
}

test('decisions are those of the wire protocol’s words', t => {
  fc.assert(
    fc.property(fc.array(policy, { maxLength: 3 }), connection, (policies, input) => {
      const decision = evaluate(compile(policies), authzConnection(input));
      if (decision.allowed !== reference(policies, input)) throw new Error(decision.reason);
      if (decision.reason === '') throw new Error('no reason');
    }),
    fuzzRun(1),
  );
  t.pass();
  t.end();
});
