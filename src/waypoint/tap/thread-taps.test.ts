import { test } from 'tap';
import type { RequestHead } from '#shared/http/exchange.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { service, workload } from '#shared/testing/topology.ts';
import { requestLine } from '../testing/request-line.ts';
import type { RequestLine } from '../telemetry/request-log.ts';
import { formatTapEvent, type TapEvent } from './tap-event.ts';
import { parseTap } from './tap-filter.ts';
import { ThreadTaps } from './thread-taps.ts';

const CLIENT = workload('cart-0', { workloadName: 'cart', namespace: 'shop' });
const SUBJECT = {
  peers: { source: CLIENT, sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/cart' },
  service: service('payments', { namespace: 'shop' }),
  sourceAddress: '10.0.0.1:4000',
};

function head(fields: Partial<RequestHead> = {}): RequestHead {
  return requestHead({
    authority: 'payments',
    path: '/pay?access_token=s3cret',
    headers: ['authorization', 'Bearer s3cret', 'accept', '*/*'],
    ...fields,
  });
}

function line(status: number): RequestLine {
  return requestLine({
    ...SUBJECT,
    request: head(),
    endpoint: undefined,
    endpointPort: 0,
    endpointAddress: '10.0.0.2:80',
    route: 'r',
    attempts: 2,
    status,
    requestBytes: 1,
    responseBytes: 2,
    durationMs: 3,
    upstreamMs: -1,
  });
}

function setup(query: string, threads = 1) {
  const clock = new FakeClock();
  const sent: TapEvent[] = [];
  const taps = new ThreadTaps({ clock, threads, thread: 2, send: (_, events) => sent.push(...events) });
  const parsed = parseTap(new URLSearchParams(query));
  if (parsed.ok) taps.start(1, parsed.request);
  /** One whole request. */
  const pass = (status = 200, fields: Partial<RequestHead> = {}): void => {
    const tapped = taps.begin(SUBJECT, head(fields));
    tapped?.onResponse({ status, headers: ['set-cookie', 's3cret'], contentLength: 0 }, 1);
    tapped?.onEnd(line(status));
  };
  const kinds = (): string[] => (clock.advance(100), sent.splice(0).map(e => e.event));
  return { clock, taps, sent, pass, kinds };
}

test('a request is shown in three lines with the fields of the access log', t => {
  const { clock, pass, sent } = setup('headers=true');
  pass();
  clock.advance(100);
  const lines = sent.map(event => formatTapEvent(event));
  t.equal(lines.length, 3);
  t.match(JSON.parse(lines[0] ?? ''), {
    event: 'request',
    id: '2:0',
    'src.workload': 'cart-0',
    'src.identity': 'spiffe://cluster.local/ns/shop/sa/cart',
    'dst.service': 'payments.shop.svc.cluster.local',
    method: 'GET',
    path: '/pay?access_token=[redacted]',
  });
  t.match(JSON.parse(lines[1] ?? ''), { event: 'response', id: '2:0', response_code: 200 });
  t.match(JSON.parse(lines[2] ?? ''), { event: 'end', id: '2:0', attempts: 2, 'dst.addr': '10.0.0.2:80' });
  t.notMatch(lines.join('\n'), /s3cret/);
  t.end();
});

test('only what is asked for is shown', t => {
  const rows: readonly (readonly [string, boolean])[] = [
    ['service=payments', true],
    ['service=payments.shop.svc.cluster.local', true],
    ['service=orders', false],
    ['namespace=shop', true],
    ['namespace=default', false],
    ['source=cart', true],
    ['source=cart-0', true],
    ['source=cart-1', false],
    ['source_namespace=shop', true],
    ['source_identity=spiffe://cluster.local/ns/shop/sa/cart', true],
    ['source_identity=spiffe://cluster.local/ns/shop/sa/other', false],
    ['method=get', true],
    ['method=POST', false],
    ['authority=payments', true],
    ['path=/pay', true],
    ['path=/orders', false],
    ['status=200', true],
    ['status=5xx', false],
  ];
  for (const [query, shown] of rows) {
    const { kinds, pass } = setup(query);
    pass();
    t.same(kinds(), shown ? ['request', 'response', 'end'] : [], query);
  }
  t.end();
});

test('who asks for a status hears of a request when its status is known, an answerless one included', t => {
  const { kinds, taps } = setup('status=5xx');
  const tapped = taps.begin(SUBJECT, head());
  t.same(kinds(), []);
  tapped?.onResponse({ status: 503, headers: [], contentLength: 0 }, 1);
  t.same(kinds(), ['request', 'response']);
  taps.begin(SUBJECT, head())?.onEnd(line(0));
  t.same(kinds(), [], 'the client went away: no status');
  t.end();
});

test('requests beyond the rate are not shown but counted', t => {
  const { clock, pass, sent } = setup('max_rps=4', 2);
  for (let i = 0; i < 5; i++) pass();
  clock.advance(100);
  t.equal(sent.filter(e => e.event === 'request').length, 2, 'the share of one of two threads');
  t.same(
    sent.filter(e => e.event === 'skipped').map(e => e.fields),
    [{ requests: 3 }],
  );
  sent.length = 0;
  clock.advance(1_000);
  pass();
  clock.advance(100);
  t.equal(sent.length, 3, 'the next second has room again');
  t.end();
});

test('without a tap nothing is kept and no timer runs', t => {
  const { clock, taps } = setup('');
  taps.stop(1);
  t.ok(taps.idle);
  t.equal(taps.begin(SUBJECT, head()), undefined);
  t.equal(clock.pendingTimers, 0);
  t.end();
});
