import { test, type Test } from 'tap';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { NO_TIMEOUTS, type RouteRule } from '#shared/route/model.ts';
import { MAX_REPLAY_BYTES } from './retry/replay-buffer.ts';
import { type Conduct, type SimulatedAnswer, SimulatedMesh } from './testing/simulated-mesh.ts';

/**
 * Hedging on the simulated mesh: a try may take 100 ms, the request 2 s. What is asserted are counts: which requests are answered by
 * when, how many tries reached the endpoints, and what is left of them.
 */
const RETRY = {
  ...DEFAULT_RETRY_POLICY,
  on: ['5xx'] as const,
  attempts: 1,
  backoffBaseMs: 0,
  backoffMaxMs: 0,
};
const HEDGED: Partial<RouteRule> = {
  hedge: 'on_try_timeout',
  timeouts: { ...NO_TIMEOUTS, requestMs: 2_000, backendRequestMs: 100 },
  retry: RETRY,
  retryBudget: { ratio: 10, minPerSecond: 1_000, ttlMs: 10_000 },
};

async function meshOf(
  t: Test,
  conducts: readonly Conduct[],
  rule: Partial<RouteRule> = HEDGED,
  policy: Parameters<typeof SimulatedMesh.create>[1] = {},
): Promise<SimulatedMesh> {
  const mesh = await SimulatedMesh.create(conducts.length, { ...policy, rule });
  t.teardown(() => mesh.close());
  for (const [i, endpoint] of mesh.endpoints.entries()) endpoint.conduct = conducts[i] ?? 'ok';
  return mesh;
}

const answered = (answers: readonly SimulatedAnswer[], status = 200): number =>
  answers.filter(answer => answer.status === status).length;
const reached = (mesh: SimulatedMesh): number =>
  mesh.endpoints.reduce((sum, { requests }) => sum + requests, 0);
/** Requests that endpoints still work at. */
const underWay = (mesh: SimulatedMesh): number =>
  mesh.endpoints.reduce((sum, { open }) => sum + [...open.values()].reduce((a, b) => a + b, 0), 0);

const COUNT = 20;

test('a try that takes too long gets another beside it: the first good answer is taken, the other try is cancelled', async t => {
  const mesh = await meshOf(t, [{ afterMs: 1_500 }, 'ok']);
  const [slow] = mesh.endpoints;
  const answers = await mesh.send(COUNT);
  const first = slow?.requests ?? 0;
  t.ok(first > 0 && first < COUNT, `${first} of ${COUNT} came to the slow one first`);
  await mesh.pass(90);
  t.equal(answered(answers), COUNT - first, 'before the time of a try is over nothing is done');
  await mesh.pass(40);
  t.equal(answered(answers), COUNT);
  t.equal(reached(mesh), COUNT + first, 'one more try each');
  t.equal(underWay(mesh), 0, 'the slow tries are cancelled');
  const lines = mesh.lines.filter(line => line.includes('attempts=2'));
  t.equal(lines.length, first);
  for (const line of lines) t.match(line, /dst\.workload="?echo-1/, 'the log names who answered');
});

test('without hedging the slow try is given up first', async t => {
  const mesh = await meshOf(t, [{ afterMs: 150 }], { ...HEDGED, hedge: undefined });
  const answers = await mesh.send(3);
  await mesh.pass(160);
  t.equal(answered(answers), 0, 'its answer is not waited for');
  await mesh.pass(100);
  t.equal(answered(answers, 504), 3, 'nor that of the next');
});

test('the slow try may still be the first to answer', async t => {
  const mesh = await meshOf(t, [{ afterMs: 150 }, { afterMs: 150 }]);
  const answers = await mesh.send(COUNT);
  await mesh.pass(140);
  t.equal(reached(mesh), 2 * COUNT);
  t.equal(answered(answers), 0);
  await mesh.pass(30);
  t.equal(answered(answers), COUNT, 'after 150 ms, not after 250');
  t.equal(underWay(mesh), 0);
});

test('a bad answer is not taken while another try may give a good one', async t => {
  const mesh = await meshOf(t, [{ afterMs: 300 }, 'fail']);
  const answers = await mesh.send(COUNT);
  await mesh.pass(250);
  t.equal(answered(answers), 0, 'no 503 goes to a client');
  await mesh.pass(300);
  t.equal(answered(answers), COUNT);
  t.equal(reached(mesh), 2 * COUNT);
  t.equal(underWay(mesh), 0);
});

test('a slow try that fails is not taken either, and the last bad answer is', async t => {
  const good = await meshOf(t, [{ afterMs: 150, fails: true }, { afterMs: 250 }]);
  const answers = await good.send(COUNT);
  await good.pass(500);
  t.equal(answered(answers), COUNT);
  const bad = await meshOf(t, [
    { afterMs: 150, fails: true },
    { afterMs: 250, fails: true },
  ]);
  const others = await bad.send(COUNT);
  await bad.pass(500);
  t.equal(answered(others, 503), COUNT, 'when every try has failed, the client hears so');
  t.equal(reached(bad), 2 * COUNT, 'and there are no more tries than the policy has');
  t.equal(underWay(bad), 0);
});

test('a try that breaks leaves the others alone', async t => {
  const mesh = await meshOf(t, [{ afterMs: 300 }, 'reset']);
  const answers = await mesh.send(COUNT);
  await mesh.pass(600);
  t.equal(answered(answers), COUNT);
});

test('when nobody answers, the timeout of the request ends them all', async t => {
  const mesh = await meshOf(t, ['hang', 'hang', 'hang'], { ...HEDGED, retry: { ...RETRY, attempts: 2 } });
  const answers = await mesh.send(COUNT);
  await mesh.pass(1_900);
  t.equal(reached(mesh), 3 * COUNT, 'each of the endpoints was tried');
  t.equal(answered(answers, 504), 0);
  await mesh.pass(150);
  t.equal(answered(answers, 504), COUNT);
  for (const { open } of mesh.endpoints) t.equal(open.size, 0, 'no connection of theirs is left');
});

test('a request without a timeout of its own is not hedged: its tries end as ever', async t => {
  const timeouts = { ...NO_TIMEOUTS, backendRequestMs: 100 };
  const mesh = await meshOf(t, ['hang', 'hang'], { ...HEDGED, timeouts });
  const answers = await mesh.send(COUNT);
  await mesh.pass(300);
  t.equal(answered(answers, 504), COUNT);
});

test('hedges are retries for the budget', async t => {
  const retryBudget = { ratio: 0.2, minPerSecond: 1, ttlMs: 10_000 };
  const mesh = await meshOf(t, [{ afterMs: 500 }, { afterMs: 500 }], { ...HEDGED, retryBudget });
  const answers = await mesh.send(100);
  await mesh.pass(450);
  t.equal(reached(mesh), 100 + 20 + 10, 'a fifth, and one a second for ten seconds');
  await mesh.pass(300);
  t.equal(answered(answers), 100, 'those that got no other try go on');
});

test('hedges are retries for maxRetries', async t => {
  const mesh = await meshOf(t, ['hang', 'hang'], HEDGED, {
    policy: { maxRetries: 5 },
  });
  await mesh.send(COUNT);
  await mesh.pass(500);
  t.equal(reached(mesh), COUNT + 5);
});

test('a body is sent with each try, as long as it is all here and short enough', async t => {
  const mesh = await meshOf(t, ['hang', { afterMs: 50 }]);
  const body = 'abc'.repeat(1_000);
  const answers = await mesh.send(COUNT, '', body);
  await mesh.pass(300);
  t.equal(answered(answers), COUNT);
  const bodies = mesh.endpoints.flatMap(endpoint => endpoint.bodies);
  t.ok(bodies.length > COUNT, `${bodies.length} tries`);
  t.ok(bodies.every(one => one === body));
  const long = await meshOf(t, ['hang', 'hang']);
  const others = await long.send(3, '', 'x'.repeat(MAX_REPLAY_BYTES + 1));
  await long.pass(150);
  t.equal(answered(others, 504), 3, 'a longer one is not sent twice: its try is given up');
  t.equal(reached(long), 3);
});

test('a slow try counts as a timeout of its endpoint, although it is answered later', async t => {
  const mesh = await meshOf(t, [{ afterMs: 150 }, { afterMs: 1_000 }], HEDGED, {
    policy: {
      failureAccrual: {
        consecutiveFailures: 3,
        successRate: undefined,
        minPenaltyMs: 10_000,
        maxPenaltyMs: 60_000,
        jitter: 0,
      },
    },
  });
  await mesh.send(COUNT);
  await mesh.pass(200);
  const before = mesh.endpoints.map(({ requests }) => requests);
  t.ok(before.every(count => count >= 3));
  const ejected = mesh.thread.metrics().find(({ name }) => name === 'ambient_endpoint_ejections_total');
  t.ok((ejected?.series.reduce((sum, { value }) => sum + value, 0) ?? 0) > 0, 'who is slow is left out');
});

test('a client that leaves ends all tries', async t => {
  const mesh = await meshOf(t, ['hang', 'hang']);
  const answers = await mesh.send(COUNT);
  await mesh.pass(150);
  t.equal(reached(mesh), 2 * COUNT);
  for (const answer of answers) answer.leave();
  await mesh.settle();
  for (const { open } of mesh.endpoints) t.equal(open.size, 0);
  t.equal(answered(answers), 0);
});
