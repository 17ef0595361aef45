import { test } from 'tap';
import { AccessLog, type AccessValue } from '#shared/observability/access-log.ts';
import { lineWriter } from '#shared/testing/line-writer.ts';
import { type LoggedFailure, readFailure } from './read-failure.ts';
import { RefusalLog } from './refusal-log.ts';

const AT = Date.UTC(2026, 0, 1, 12);

/** A line as proxies write it. */
function line(
  format: 'text' | 'json',
  fields: readonly AccessValue[],
  level: 'error' | 'info' = 'error',
): string {
  let written = '';
  const writer = lineWriter(text => void (written = text));
  new AccessLog({ format, writer, now: () => AT, subject: 'connection' }).write(level, 'failed', fields);
  return written.trimEnd();
}

const CONNECTION: readonly AccessValue[] = Object.entries({
  'src.addr': '10.0.0.1:4000',
  'src.workload': 'orders-0',
  'src.namespace': 'shop',
  'src.identity': 'spiffe://cluster.local/ns/shop/sa/orders',
  'dst.addr': '10.0.0.2:15008',
  'dst.hbone_addr': '10.0.0.2:7000',
  'dst.workload': 'ledger-0',
  'dst.namespace': 'shop',
}).flat();

/** [sentence, fields, what is read of them] */
const LINES: readonly (readonly [string, readonly AccessValue[], Partial<LoggedFailure>])[] = [
  [
    'a DENY policy and its rule',
    [...CONNECTION, 'error', 'denied by shop/deny-orders rule 2'],
    {
      kind: 'denied',
      policy: 'shop/deny-orders',
      rule: 2,
      source: 'shop/orders-0',
      destination: 'shop/ledger-0',
    },
  ],
  [
    'one that cut a connection that was open',
    [...CONNECTION, 'error', 'policy changed: denied by shop/deny-orders rule 0'],
    { kind: 'denied', policy: 'shop/deny-orders', rule: 0 },
  ],
  [
    'an ALLOW policy that let nobody in',
    [
      ...CONNECTION,
      'error',
      'no ALLOW policy of shop/only matched: source spiffe://x; add the principal to a rule',
    ],
    { kind: 'denied', policy: 'shop/only', rule: null },
  ],
  [
    'several of them: none of them is to blame',
    [...CONNECTION, 'error', 'no ALLOW policy of shop/a, shop/b matched: source spiffe://x'],
    { kind: 'denied', policy: '', rule: null },
  ],
  [
    'plaintext that STRICT refuses, of an address',
    [
      'src.addr',
      '10.9.9.9:1234',
      'dst.addr',
      '10.0.0.2:7000',
      'error',
      'denied by istio-system/istio_converted_static_strict rule 0: mutual TLS',
    ],
    { kind: 'denied', source: '10.9.9.9', sourceIdentity: '', destination: '10.0.0.2:7000' },
  ],
  [
    'what the client is told',
    [...CONNECTION, 'error', 'HBONE tunnel to a via b refused with 401: denied by policy there'],
    { kind: 'denied', policy: '', isEcho: true },
  ],
  [
    'a request that a waypoint refused, whatever its reason',
    [
      ...CONNECTION,
      'method',
      'GET',
      'path',
      '/a b"\t\n<script>',
      'response_flags',
      'UAEX',
      'error',
      'token expired',
    ],
    { kind: 'denied', request: 'GET /a b"\t\n<script>', reason: 'token expired' },
  ],
  [
    'what could not be dialled',
    [...CONNECTION, 'error', 'connection refused'],
    { kind: 'failed', policy: '', isEcho: false },
  ],
];

test('refusals and failures in the access log, in both formats', t => {
  for (const [sentence, fields, wanted] of LINES)
    for (const format of ['text', 'json'] as const)
      t.match(readFailure(line(format, fields)), { ...wanted, atMs: AT }, `${sentence} (${format})`);
  t.end();
});

test('other lines tell nothing', t => {
  const others = [
    '',
    '{',
    'not a line',
    '2026-01-01T00:00:00Z\terror\tztunnel\tsomething\terror="denied by a/b rule 0"',
    line('text', CONNECTION, 'info'),
    line('json', [...CONNECTION, 'error', ''], 'error'),
    line('text', [...CONNECTION, 'error', 'x']).replace(/^\S+/, 'yesterday'),
  ];
  for (const text of others) t.equal(readFailure(text), undefined, text);
  t.end();
});

function failure(fields: Partial<LoggedFailure>): LoggedFailure {
  const read = readFailure(line('json', [...CONNECTION, 'error', 'denied by shop/deny-orders rule 0']));
  if (read === undefined) throw new Error('no failure');
  return { ...read, ...fields };
}

test('what is alike is one row, the latest first', t => {
  const log = new RefusalLog({ maxGroups: 3, memoryMs: 1_000 });
  log.add(failure({ atMs: AT }), 'ztunnel-a');
  log.add(failure({ atMs: AT + 1, request: 'GET /1' }), 'waypoint-a');
  log.add(failure({ atMs: AT + 2, request: 'GET /2' }), 'waypoint-a');
  log.add(failure({ atMs: AT + 3 }), 'ztunnel-a');
  t.match(log.rows(AT + 3), [
    { count: 2, lastMs: AT + 3, request: '', proxy: 'ztunnel-a' },
    { count: 2, lastMs: AT + 2, request: 'GET /2', proxy: 'waypoint-a' },
  ]);
  t.equal(log.rows(AT + 1_002).length, 2);
  t.equal(log.rows(AT + 1_003).length, 1, 'forgotten after a while');
  for (const n of [1, 2, 3, 4]) log.add(failure({ source: `shop/s${n}` }), 'z');
  t.same(
    log.rows(AT).map(r => r.source),
    ['shop/s2', 'shop/s3', 'shop/s4'],
    'the oldest makes room',
  );
  t.end();
});

test("a client's ztunnel is heard only where the one that refused is not", t => {
  const log = new RefusalLog({ maxGroups: 9, memoryMs: 1_000 });
  log.add(failure({ isEcho: true, policy: '', reason: 'denied by policy there' }), 'ztunnel-a');
  t.equal(log.rows(AT).length, 1);
  log.add(failure({}), 'ztunnel-b');
  t.match(log.rows(AT), [{ proxy: 'ztunnel-b', policy: 'shop/deny-orders' }]);
  t.equal(log.rows(AT).length, 1);
  t.end();
});
