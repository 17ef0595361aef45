import { test } from 'tap';
import { type AppliedObject, awaitVerdict, verdictOn } from './applied-objects.ts';
import { CliError } from './cli-error.ts';

const ROUTE: AppliedObject = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  namespace: 'shop',
  name: 'r',
  generation: 2,
};
const KINDS = ['HTTPRoute', 'Service'];
const WRONG = {
  severity: 'rejected',
  field: 'spec.rules[0].weight',
  value: '-3',
  message: 'must be a whole number',
  fix: 'change it to a whole number',
};
const IGNORED = { severity: 'warning', field: 'spec.x', value: '', message: 'has no effect', fix: '' };

function page(generation: number, diagnostics: readonly object[], more: object = {}): object {
  return {
    kinds: KINDS,
    objects: [{ key: 'HTTPRoute/shop/r', generation, state: '', diagnostics }],
    unreadable: [],
    ...more,
  };
}

/** [what it proves, answer of the controller, applied, lines, rejected, how many are unread] */
const ROWS: readonly (readonly [string, unknown, AppliedObject, readonly string[], boolean, number])[] = [
  ['an object that is taken needs no word', page(2, []), ROUTE, [], false, 0],
  [
    'what is wrong is said with field, value and fix',
    page(2, [WRONG]),
    ROUTE,
    ['error: HTTPRoute shop/r: spec.rules[0].weight: -3 must be a whole number; change it to a whole number'],
    true,
    0,
  ],
  [
    'what is only ignored is a warning',
    page(2, [IGNORED]),
    ROUTE,
    ['warning: HTTPRoute shop/r: spec.x has no effect'],
    false,
    0,
  ],
  ['of the version before nothing is concluded: it is unread', page(1, []), ROUTE, [], false, 1],
  [
    'a kind that nobody reads is said, and not waited for',
    page(1, []),
    { ...ROUTE, kind: 'HTTPRuote' },
    ['warning: HTTPRuote shop/r: the mesh reads no HTTPRuote; is kind misspelled?'],
    false,
    0,
  ],
  [
    'a kind of another mesh is said with what takes its place, whoever else has a kind of that name',
    page(1, []),
    { ...ROUTE, kind: 'Gateway', apiVersion: 'networking.istio.io/v1' },
    [
      'warning: Gateway shop/r: the mesh reads no Gateway of networking.istio.io: this mesh has no gateways at its edge: keep your ingress; what leaves goes by a waypoint of a ServiceEntry',
    ],
    false,
    0,
  ],
  ['a service account carries nothing', page(1, []), { ...ROUTE, kind: 'ServiceAccount' }, [], false, 0],
  [
    'what cannot be read at all is known by its file',
    page(1, [], {
      unreadable: [
        {
          origin: '/objects/service_shop_r.yaml',
          field: 'metadata.labels',
          value: '1',
          message: 'must be a map of strings',
          fix: 'put numbers in quotes',
        },
      ],
    }),
    { ...ROUTE, kind: 'Service' },
    [
      'error: /objects/service_shop_r.yaml: metadata.labels: 1 must be a map of strings; put numbers in quotes',
    ],
    true,
    0,
  ],
];

test('what the controller says of objects that were applied', async t => {
  for (const [name, answer, applied, lines, rejected, unread] of ROWS) {
    const verdict = verdictOn(answer, [applied]);
    t.same(verdict.lines, lines, name);
    t.equal(verdict.rejected, rejected, name);
    t.equal(verdict.unread.length, unread, name);
  }
});

function clock(): { elapsed: () => number; sleep: (ms: number) => Promise<void> } {
  let now = 0;
  return { elapsed: () => now, sleep: ms => Promise.resolve(void (now += ms)) };
}

test('it asks until the controller has read them', async t => {
  let asked = 0;
  const verdict = await awaitVerdict(
    [ROUTE],
    () => Promise.resolve(++asked < 3 ? page(1, []) : page(2, [WRONG])),
    clock(),
  );
  t.equal(asked, 3);
  t.equal(verdict.rejected, true);
});

test('what is not read in time is asked for its apiVersion', async t => {
  const { lines, rejected } = await awaitVerdict(
    [{ ...ROUTE, apiVersion: 'v1' }],
    () => Promise.resolve(page(1, [])),
    clock(),
  );
  t.same(lines, [
    'warning: HTTPRoute shop/r: the controller has not read it; is apiVersion "v1" the one of a HTTPRoute?',
  ]);
  t.equal(rejected, false);
});

test('a controller that is down does not keep anything from being applied', async t => {
  const down = (): Promise<unknown> => Promise.reject(new CliError('cannot reach controller.sock'));
  const { lines, rejected } = await awaitVerdict([ROUTE], down, clock());
  t.match(lines, [/the controller does not say whether it takes them: cannot reach controller.sock; later/]);
  t.equal(rejected, false);
});
