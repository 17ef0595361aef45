import fc from 'fast-check';
import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { evaluate } from '#shared/authz/evaluate.ts';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { compileIntentions } from './compile-intentions.ts';
import { translateServiceIntentions } from './service-intentions.ts';

interface HeaderTest {
  readonly name: string;
  readonly exact?: string;
  readonly present?: true;
  readonly invert?: boolean;
}

interface Http {
  readonly pathPrefix?: string;
  readonly methods?: readonly string[];
  readonly header?: readonly HeaderTest[];
}

interface Permission {
  readonly action: 'allow' | 'deny';
  readonly http: Http;
}

interface Request {
  readonly method: string;
  readonly path: string;
  /** Of `x-a`. */
  readonly header: string | undefined;
}

const headerTest: fc.Arbitrary<HeaderTest> = fc.oneof(
  fc.record({ name: fc.constant('x-a'), exact: fc.constantFrom('1', '2'), invert: fc.boolean() }),
  fc.record({ name: fc.constant('x-a'), present: fc.constant(true as const), invert: fc.boolean() }),
);
const http: fc.Arbitrary<Http> = fc.record(
  {
    pathPrefix: fc.constantFrom('/', '/a', '/a/b', '/c'),
    methods: fc.subarray(['GET', 'POST'], { minLength: 1 }),
    header: fc.array(headerTest, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: ['pathPrefix'] },
);
const permission: fc.Arbitrary<Permission> = fc.record({ action: fc.constantFrom('allow', 'deny'), http });
const request: fc.Arbitrary<Request> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT'),
  path: fc.constantFrom('/', '/a', '/a/b', '/a/b/c', '/c', '/d'),
  header: fc.constantFrom(undefined, '', '1', '2', '3'),
});

/** As the words say it. */
function firstOf(permissions: readonly Permission[], asked: Request): 'allow' | 'deny' {
  return permissions.find(({ http: wanted }) => holds(wanted, asked))?.action ?? 'deny';
}

function holds({ header = [], methods, pathPrefix = '/' }: Http, asked: Request): boolean {
  const byHeader = header.every(wanted => {
    if (wanted.present) return (asked.header !== undefined) !== (wanted.invert === true);
    return asked.header !== undefined && (asked.header === wanted.exact) !== (wanted.invert === true);
  });
  return asked.path.startsWith(pathPrefix) && (methods?.includes(asked.method) ?? true) && byHeader;
}

/** Of a source that is named, or of all others, beside those that are allowed or denied. */
function decided(
  permissions: readonly Permission[],
  { header, method, path }: Request,
  name: 'orders' | '*',
  others: 'allow' | 'deny',
): string {
  const sources = [
    { name, permissions },
    { name: name === '*' ? 'frontend' : '*', action: others },
  ];
  const object = kubeObject('ServiceIntentions', { destination: { name: 'payments' }, sources });
  const translated = translateServiceIntentions(object);
  if (!translated.ok) throw new Error(JSON.stringify(translated.diagnostics));
  const { policies } = compileIntentions([translated.value], {
    defaultAction: 'allow',
    accountsOf: service => [{ namespace: 'shop', serviceAccount: service }],
    withoutWaypoint: () => [],
    providerOf: () => undefined,
  });
  const connection = authzConnection({
    sourceIdentity: 'spiffe://td/ns/shop/sa/orders',
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.2',
    destinationPort: 80,
  });
  const headers = header === undefined ? [] : ['x-a', header];
  const set = compile(policies.map(({ policy }) => policy));
  return evaluate(set, connection, { method, path, authority: 'payments', headers }).allowed
    ? 'allow'
    : 'deny';
}

test('rules without an order say what the ordered list says', t => {
  const lists = fc.array(permission, { minLength: 1, maxLength: 6 });
  const name = fc.constantFrom('orders' as const, '*' as const);
  const others = fc.constantFrom('allow' as const, 'deny' as const);
  fc.assert(
    fc.property(lists, request, name, others, (permissions, asked, source, rest) => {
      if (decided(permissions, asked, source, rest) !== firstOf(permissions, asked))
        throw new Error('they differ');
    }),
    fuzzRun(1),
  );
  t.pass();
  t.end();
});
