import { test } from 'tap';
import { testEngineName } from '../testing/engine.ts';
import { quietLogger } from '../testing/quiet-logger.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { FakeWorkers } from '../testing/fake-workers.ts';
import { delta, mesh, workload } from '../testing/topology.ts';
import type { WorkerHandle } from './worker-handle.ts';
import { WorkerSupervisor } from './worker-supervisor.ts';

interface TestProtocol {
  readonly settings: object;
  readonly command: { readonly kind: 'greet' };
  readonly request: { readonly kind: 'ask' };
  readonly connections: readonly string[];
  readonly event: { readonly kind: 'news'; readonly text: string };
}

class TestPool extends WorkerSupervisor<TestProtocol> {
  readonly news: string[] = [];

  protected override onEvent({ text }: TestProtocol['event']): void {
    this.news.push(text);
  }

  ask(timeoutMs: number) {
    return this.request({ kind: 'ask' }, timeoutMs);
  }

  protected tellEverything(worker: WorkerHandle<TestProtocol>): void {
    worker.post({ kind: 'greet' });
  }
}

const REPLY_TIMEOUT_MS = 2_000;

function setup(count = 2) {
  const clock = new FakeClock();
  const workers = new FakeWorkers<TestProtocol>();
  const restarts = { value: 0 };
  const pool = new TestPool({
    count,
    spawn: workers.spawn,
    init: { settings: {}, log: { format: 'text', level: 'info', scopes: {} }, engine: testEngineName() },
    wholeMesh: () => mesh({ workloads: [workload('known')] }).toDelta(),
    replyTimeoutMs: REPLY_TIMEOUT_MS,
    clock,
    random: () => 0.5,
    logger: quietLogger,
    restarts,
  });
  return { clock, workers, restarts, pool };
}

test('a worker that is ready is told the whole mesh, what the tier says, and then each change', async t => {
  const { pool, workers } = setup();
  await workers.start(pool);
  t.strictSame(workers.kinds(0), ['delta', 'greet']);
  pool.sendDelta(delta({ workloads: [workload('new')] }));
  t.strictSame(workers.kinds(1), ['delta', 'greet', 'delta']);
  t.match(workers.thread(0).received[0], { delta: { workloads: [{ name: 'known' }] } });
});

test('a worker that does not keep up has its deltas merged: the queue is bounded', async t => {
  const { pool, workers } = setup(1);
  await workers.start(pool);
  for (let i = 0; i < 1_000; i++) pool.sendDelta(delta({ workloads: [workload('busy', { capacity: i })] }));
  t.equal(workers.kinds(0).length, 5);
  workers.thread(0).say({ kind: 'applied' });
  t.match(workers.thread(0).received[5], { delta: { workloads: [{ name: 'busy', capacity: 999 }] } });
  workers.thread(0).say({ kind: 'applied' });
  t.equal(workers.kinds(0).length, 6, 'nothing more to say');
});

test('a worker that crashes is started again with backoff, told everything, and counted', async t => {
  const { clock, pool, restarts, workers } = setup();
  await workers.start(pool);
  pool.setLogLevel('warn', 'access');
  pool.setLogLevel('debug', undefined);
  workers.thread(0).events.onExit('out of memory');
  t.equal(restarts.value, 1);
  t.equal(pool.readyWorkers, 1);
  t.equal(workers.threads.length, 2, 'not at once');
  clock.advance(50);
  t.equal(workers.threads.length, 3);
  t.strictSame(workers.kinds(2), [], 'nothing before it is ready');
  workers.thread(2).say({ kind: 'ready' });
  t.strictSame(workers.kinds(2), ['log_level', 'delta', 'greet'], 'one level: it replaced the other');
  t.equal(pool.readyWorkers, 2);
  workers.thread(2).events.onExit('again');
  clock.advance(50);
  t.equal(workers.threads.length, 3, 'the second time it takes longer');
  clock.advance(50);
  t.equal(workers.threads.length, 4);
});

test('the backoff is of each worker, and forgotten after a minute of health', async t => {
  const { clock, pool, workers } = setup();
  await workers.start(pool);
  workers.thread(0).events.onExit('crash');
  workers.thread(1).events.onExit('crash');
  clock.advance(50);
  t.equal(workers.threads.length, 4, 'the one does not slow the other down');
  workers.thread(2).say({ kind: 'ready' });
  clock.advance(60_001);
  workers.thread(2).events.onExit('crash');
  clock.advance(50);
  t.equal(workers.threads.length, 5);
});

test('replies of every worker; one that crashes or hangs is left out', async t => {
  const { clock, pool, workers } = setup();
  await workers.start(pool);
  const metrics = pool.metrics();
  workers.thread(0).say({ kind: 'metrics', id: workers.requestId(0, 'metrics'), families: [] });
  workers.thread(1).events.onExit('crash');
  t.strictSame(await metrics, [[]]);
  const connections = pool.connections();
  workers.thread(0).say({ kind: 'connections', id: workers.requestId(0, 'connections'), connections: ['a'] });
  t.strictSame(await connections, [['a']]);
  const hung = pool.connections();
  clock.advance(REPLY_TIMEOUT_MS);
  t.strictSame(await hung, []);
});

test("a request tells each worker's own outcome", async t => {
  const { clock, pool, workers } = setup(3);
  await workers.start(pool);
  const asked = pool.ask(500);
  workers.answer(0, 'ask');
  workers.answer(1, 'ask', 'EBADF');
  clock.advance(500);
  t.match(await asked, [
    { status: 'fulfilled' },
    { status: 'rejected', reason: { message: 'EBADF' } },
    { status: 'rejected', reason: { message: 'traffic worker 2 did not answer ask within 500 ms' } },
  ]);
  workers.answer(2, 'ask', 'too late');
  t.equal(clock.pendingTimers, 0);
});

test('a drain ends the restarts', async t => {
  const { clock, pool, workers } = setup(1);
  await workers.start(pool);
  const drained = pool.drain(1_000);
  workers.answer(0, 'drain');
  await drained;
  workers.thread(0).events.onExit('done');
  clock.advance(60_000);
  t.equal(workers.threads.length, 1);
  await pool.stop();
  t.ok(workers.thread(0).terminated);
  t.equal(clock.pendingTimers, 0);
});

test('what a thread says unasked is heard', async t => {
  const { pool, workers } = setup();
  await workers.start(pool);
  workers.thread(1).say({ kind: 'event', event: { kind: 'news', text: 'rain' } });
  t.same(pool.news, ['rain']);
});
