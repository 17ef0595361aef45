import { test } from 'tap';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { seriesOf } from '#shared/testing/series.ts';
import { ConnectionBook } from './connection-book.ts';
import { PlaceKeeper } from './place-keeper.ts';
import { countMemory } from './shared-count.ts';

const orders = { namespace: 'shop', name: 'orders-1' };

/** The main thread's book, and two traffic threads. */
function setup(perPod = 2, room = 100) {
  const settings = {
    perPod,
    room,
    roomIs: 'a test',
    sharesFairly: true,
    threads: 2,
    used: countMemory(2, 1),
  };
  const metrics = new MetricSet();
  const clock = new FakeClock();
  const keeper = (thread: number): PlaceKeeper =>
    new PlaceKeeper({ settings, thread, clock, logger: quietLogger, metrics: new MetricSet() });
  const book = new ConnectionBook(settings, metrics);
  const open = (): Record<string, number> => {
    book.updateMetrics();
    return seriesOf(metrics.snapshot(), 'ambient_pod_connections');
  };
  return { book, metrics, open, threads: [keeper(0), keeper(1)] as const };
}

test('the gauges say what each pod has open, over all threads, and what it may', t => {
  const { book, metrics, open, threads } = setup();
  const memory = book.begin('u-1', orders);
  for (const thread of threads) thread.placesOf(orders, memory).outbound.take();
  threads[0].placesOf(orders, memory).hbone.take();
  t.same(open(), { 'shop orders-1 outbound': 2, 'shop orders-1 inbound': 0, 'shop orders-1 hbone': 1 });
  t.same(seriesOf(metrics.snapshot(), 'ambient_connections_limit'), { pod: 2, node: 100 });
  book.end('u-1');
  t.same(open(), {}, 'of a pod that left nothing is said');
  t.end();
});

test('a pod of which the next connection is refused is warned of, with what to do', t => {
  const { book, threads } = setup();
  const places = threads[1].placesOf(orders, book.begin('u-1', orders));
  places.inbound.take();
  t.same(book.warnings(), []);
  places.inbound.take();
  t.same(book.warnings(), [
    'connections are refused: pod shop/orders-1 has 2 inbound connections, as many as a pod may: if it needs them, raise MAX_CONNECTIONS_PER_POD',
  ]);
  places.inbound.give();
  t.same(book.warnings(), []);
  t.end();
});

test('what a thread held that died is free again, for its pods and for all', t => {
  const { book, open, threads } = setup(4, 8);
  const memory = book.begin('u-1', orders);
  const [first, second] = threads.map(thread => thread.placesOf(orders, memory));
  first?.outbound.take();
  first?.outbound.take();
  first?.sessions.opened();
  second?.outbound.take();
  book.threadEnded(0);
  t.equal(open()['shop orders-1 outbound'], 1);
  for (let i = 0; i < 3; i++) t.equal(threads[0].placesOf(orders, memory).outbound.take(), undefined);
  t.match(second?.outbound.take(), { code: 'resource_exhausted' });
  t.end();
});

test('a pod that joins again while its old connections end begins anew', t => {
  const { book, open, threads } = setup();
  const before = threads[0].placesOf(orders, book.begin('u-1', orders));
  before.outbound.take();
  book.begin('u-1', orders);
  t.equal(open()['shop orders-1 outbound'], 0);
  before.outbound.give();
  t.equal(open()['shop orders-1 outbound'], 0, 'what ends then is not taken off the new ones');
  t.end();
});

test('sessions that carry nothing may stay open up to an eighth of the bound, and while there is room', t => {
  const { book, threads } = setup(16, 40);
  const [places, other] = ['u-1', 'u-2'].map(uid => threads[0].placesOf(orders, book.begin(uid, orders)));
  places?.sessions.opened();
  places?.sessions.opened();
  t.equal(places?.sessions.mayIdle(), true);
  places?.sessions.opened();
  t.equal(places?.sessions.mayIdle(), false);
  t.equal(other?.sessions.mayIdle(), true);
  for (let i = 0; i < 18; i++) places?.sessions.opened();
  t.equal(other?.sessions.mayIdle(), false, 'half of the room is used');
  t.end();
});
