import { test, type Test } from 'tap';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import type { LoadBalancer, OutlierDetection } from '#shared/route/traffic-policy.ts';
import { type Conduct, type SimulatedAnswer, SimulatedMesh } from './testing/simulated-mesh.ts';

/**
 * Resilience experiments: endpoints that misbehave behind a whole traffic thread, on a clock that moves when told. What is
 * asserted are counts: how many requests failed, how much load was added, how many requests an endpoint got.
 */
const OUTLIER: OutlierDetection = {
  consecutive5xx: 5,
  consecutiveGatewayErrors: 0,
  splitExternalLocalOriginErrors: false,
  consecutiveLocalOriginFailures: 5,
  errorStatusCodes: [],
  failurePercent: undefined,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 50,
  minHealthPercent: 0,
};
const ACCRUAL = {
  consecutiveFailures: 7,
  successRate: undefined,
  minPenaltyMs: 1_000,
  maxPenaltyMs: 60_000,
  jitter: 0.5,
} as const;
const LEAST_REQUEST: LoadBalancer = { kind: 'least_request', choices: undefined };
const PEAK_EWMA: LoadBalancer = { kind: 'peak_ewma', penalty: undefined };
const RETRY_5XX = {
  ...DEFAULT_RETRY_POLICY,
  on: [...DEFAULT_RETRY_POLICY.on, '5xx', 'reset'] as const,
};

async function experiment(t: Test, ...args: Parameters<typeof SimulatedMesh.create>): Promise<SimulatedMesh> {
  const mesh = await SimulatedMesh.create(...args);
  t.teardown(() => mesh.close());
  return mesh;
}

const failed = (answers: readonly SimulatedAnswer[]): number =>
  answers.filter(({ status }) => status !== 200).length;
const reached = (mesh: SimulatedMesh): number =>
  mesh.endpoints.reduce((sum, { requests }) => sum + requests, 0);

function conduct(mesh: SimulatedMesh, how: Conduct, ...indexes: number[]): void {
  for (const i of indexes) {
    const endpoint = mesh.endpoints[i];
    if (endpoint !== undefined) endpoint.conduct = how;
  }
}

const MISBEHAVING: readonly (readonly [string, Conduct])[] = [
  ['fails every request', 'fail'],
  ['resets every request', 'reset'],
  ['never answers', 'hang'],
];

for (const [how, what] of MISBEHAVING) {
  test(`an endpoint of five that ${how}: retries hide it, it is left out after five, and is back when it has recovered`, async t => {
    const mesh = await experiment(t, 5, {
      policy: { outlierDetection: OUTLIER },
      rule: { retry: { ...RETRY_5XX, perTryTimeoutMs: 200 } },
    });
    conduct(mesh, what, 0);
    const [bad] = mesh.endpoints;
    const answers = await mesh.load(100, 10, 100);
    await mesh.pass(1_000);
    t.equal(failed(answers), 0, 'no client sees a failure');
    // Those on their way when the fifth failed are beyond it.
    t.ok((bad?.requests ?? 0) >= 5 && (bad?.requests ?? 0) <= 25, `it got ${bad?.requests} of 1000 requests`);
    t.equal(reached(mesh), 1_000 + (bad?.requests ?? 0), 'each of them was sent once more, nothing else');
    conduct(mesh, 'ok', 0);
    await mesh.pass(40_000);
    const before = bad?.requests ?? 0;
    t.equal(failed(await mesh.load(20, 10, 100)), 0);
    t.ok(
      (bad?.requests ?? 0) - before >= 20,
      `recovered, it gets its share again: ${(bad?.requests ?? 0) - before} of 200`,
    );
  });
}

test('failure accrual: out after seven, then one probe a penalty, and back with the first that succeeds', async t => {
  const mesh = await experiment(t, 3, { policy: { failureAccrual: ACCRUAL }, rule: { retry: RETRY_5XX } });
  conduct(mesh, 'fail', 0);
  const [bad] = mesh.endpoints;
  t.equal(failed(await mesh.load(30, 3, 10)), 0);
  const first = bad?.requests ?? 0;
  t.ok(first >= 7 && first <= 10, `${first} until it was out`);
  // Penalties of 1 to 1.5 s, 2 to 3, 4 to 6, 8 to 12: in 16 s there is room for four probes, at most five.
  t.equal(failed(await mesh.load(160, 3, 100)), 0);
  const probes = (bad?.requests ?? 0) - first;
  t.ok(probes >= 3 && probes <= 5, `${probes} probes in 16 s`);
  conduct(mesh, 'ok', 0);
  t.equal(failed(await mesh.load(300, 3, 100)), 0);
  t.ok((bad?.requests ?? 0) - first - probes > 100, 'it has its share again');
});

const CALLS_503: readonly (readonly [string, boolean | undefined, retried: boolean, judged: boolean])[] = [
  ['says nothing of 503: a failure', undefined, true, true],
  ['calls 503 a failure', true, true, true],
  ['calls 503 a success', false, false, false],
];

for (const [what, isFailure, retried, judged] of CALLS_503) {
  test(`a route that ${what}: retries, outlier detection and the success rate go by it`, async t => {
    const classes =
      isFailure === undefined
        ? []
        : [{ condition: { kind: 'status', min: 503, max: 503 } as const, isFailure }];
    const statusCodes = isFailure === false ? [500] : [500, 503];
    const on = ['retriable_status_codes'] as const;
    const mesh = await experiment(t, 5, {
      policy: { outlierDetection: OUTLIER },
      rule: {
        retry: { ...DEFAULT_RETRY_POLICY, on, statusCodes },
        responseClasses: [...classes, { condition: { kind: 'status', min: 599, max: 599 }, isFailure: true }],
      },
    });
    conduct(mesh, 'fail', 0);
    const answers = await mesh.load(100, 10, 100);
    await mesh.pass(1_000);
    t.equal(failed(answers) === 0, retried, `${failed(answers)} answers of 503 reached a client`);
    const got = mesh.endpoints[0]?.requests ?? 0;
    t.equal(got < 30, judged, `the endpoint got ${got} of 1000 requests`);
    const counted = classified(mesh);
    t.same(counted, { success: 1_000, failure: 0 }, 'what the client got at last counts');
  });
}

test('a success rate goes by the classes of the route, and counts what was not answered as failed', async t => {
  const isFailure = true;
  const responseClasses = [{ condition: { kind: 'status', min: 200, max: 200 } as const, isFailure }];
  const mesh = await experiment(t, 2, { rule: { responseClasses } });
  await mesh.send(3);
  t.same(classified(mesh), { success: 0, failure: 3 }, 'a class that calls 200 a failure');
  conduct(mesh, 'reset', 0, 1);
  await mesh.send(2);
  await mesh.pass(1_000);
  t.same(classified(mesh), { success: 0, failure: 5 });
});

function classified({ thread }: SimulatedMesh): { success: number; failure: number } {
  const family = thread.metrics().find(({ name }) => name === 'ambient_route_requests_total');
  const of = (classification: string): number =>
    (family?.series ?? [])
      .filter(({ labelValues }) => labelValues.at(-1) === classification)
      .reduce((sum, { value }) => sum + value, 0);
  return { success: of('success'), failure: of('failure') };
}

test('accrual with every endpoint out never latches: all are tried, and serve as soon as they can', async t => {
  const mesh = await experiment(t, 3, { policy: { failureAccrual: ACCRUAL } });
  conduct(mesh, 'fail', 0, 1, 2);
  t.equal(failed(await mesh.load(50, 6, 100)), 300);
  conduct(mesh, 'ok', 0, 1, 2);
  t.equal(failed(await mesh.load(50, 6, 100)), 0, 'the first request after the recovery succeeds');
});

test('a slow endpoint gets little of the load: by requests in progress, and less by response time', async t => {
  for (const loadBalancer of [LEAST_REQUEST, PEAK_EWMA]) {
    const { kind } = loadBalancer;
    const mesh = await experiment(t, 4, { policy: { loadBalancer } });
    conduct(mesh, { afterMs: 20 }, 0, 1, 2);
    conduct(mesh, { afterMs: 1_000 }, 3);
    await mesh.load(200, 4, 20);
    await mesh.pass(2_000);
    const share = (mesh.endpoints[3]?.requests ?? 0) / reached(mesh);
    t.ok(
      share < (kind === 'peak_ewma' ? 0.05 : 0.15),
      `${kind}: ${(100 * share).toFixed(1)} % instead of 25 %`,
    );
  }
});

test('an endpoint that fails at once gets little of the load where failures are penalized, and comes back by itself', async t => {
  const share = async (loadBalancer: LoadBalancer, fields = ''): Promise<[number, number]> => {
    const mesh = await experiment(t, 4, { policy: { loadBalancer } });
    conduct(mesh, { afterMs: 20 }, 1, 2, 3);
    conduct(mesh, { afterMs: 1, fails: true }, 0);
    const [bad] = mesh.endpoints;
    if (bad !== undefined) bad.fields = fields;
    await mesh.load(200, 4, 100);
    const failing = (bad?.requests ?? 0) / reached(mesh);
    conduct(mesh, { afterMs: 20 }, 0);
    await mesh.pass(40_000);
    const [before, all] = [bad?.requests ?? 0, reached(mesh)];
    await mesh.load(100, 4, 100);
    return [failing, ((bad?.requests ?? 0) - before) / (reached(mesh) - all)];
  };
  const [without] = await share(LEAST_REQUEST);
  t.ok(without > 0.2, `least request: ${(100 * without).toFixed(1)} %`);
  const penalty = { penaltyMs: 5_000, maxRetryAfterMs: 300_000 };
  const [penalized, recovered] = await share({ kind: 'peak_ewma', penalty });
  t.ok(penalized < 0.02, `penalized: ${(100 * penalized).toFixed(1)} %`);
  t.ok(recovered > 0.15, `recovered: ${(100 * recovered).toFixed(1)} % of 25 %`);
  const [, asked] = await share({ kind: 'peak_ewma', penalty }, 'Retry-After: 200\r\n');
  t.ok(asked < 0.02, `who asks for 200 s is not tried so soon: ${(100 * asked).toFixed(1)} %`);
  const capped = { penaltyMs: 5_000, maxRetryAfterMs: 0 };
  t.same(await share({ kind: 'peak_ewma', penalty: capped }, 'Retry-After: 200\r\n'), [penalized, recovered]);
});

test('requests go by what endpoints report of their load, once they have for long enough, and alike when they cease', async t => {
  const reports = {
    stabilizationMs: 2_000,
    expirationMs: 20_000,
    updateMs: 1_000,
    errorPenalty: 0,
    metrics: [],
  };
  const mesh = await experiment(t, 4, { policy: { loadBalancer: { kind: 'backend_utilization', reports } } });
  const shares = async (...expected: readonly number[]): Promise<void> => {
    const before = mesh.endpoints.map(({ requests }) => requests);
    await mesh.load(100, 4, 10);
    const got = mesh.endpoints.map(({ requests }, i) => requests - (before[i] ?? 0));
    const isSo = got.every((count, i) => Math.abs(count - (expected[i] ?? 0)) <= 3);
    t.ok(isSo, `${got.join(', ')} of 400 requests`);
  };
  const say = (...texts: readonly string[]): void => {
    for (const [i, endpoint] of mesh.endpoints.entries())
      endpoint.fields = texts[i] === undefined ? '' : `Endpoint-Load-Metrics: TEXT ${texts[i]}\r\n`;
  };
  // In turn while nothing is known.
  await shares(100, 100, 100, 100);
  // Together 100 + 200 + 100 + the median, 100.
  say(
    'rps_fractional=50,application_utilization=0.5',
    'rps_fractional=50,application_utilization=0.25',
    'rps_fractional=100,cpu_utilization=1.0',
  );
  await shares(100, 100, 100, 100);
  await mesh.pass(2_000);
  await shares(80, 160, 80, 80);
  t.match(mesh.thread.dump(), {
    balancers: [
      { weights: { 'Kubernetes//Pod/default/echo-1': 200, 'Kubernetes//Pod/default/echo-3': null } },
    ],
  });
  say();
  await mesh.pass(21_000);
  await shares(100, 100, 100, 100);
});

test('a storm of retries is held by the budget: a fifth more, and the floor', async t => {
  const mesh = await experiment(t, 4, {
    policy: { retryBudget: { ratio: 0.2, minPerSecond: 10, ttlMs: 10_000 } },
    rule: { retry: { ...RETRY_5XX, attempts: 5 } },
  });
  conduct(mesh, 'fail', 0, 1, 2, 3);
  const answers = await mesh.load(200, 10, 100);
  await mesh.pass(1_000);
  t.equal(failed(answers), 2_000);
  // In 20 s: a fifth of 2,000, and 10 a second of two windows of 10 s.
  const retries = reached(mesh) - 2_000;
  t.ok(
    retries > 300 && retries <= 400 + 2 * 100 + 20,
    `${retries} retries for 2,000 requests; without a budget 10,000`,
  );
  conduct(mesh, 'ok', 0, 1, 2, 3);
  t.equal(failed(await mesh.load(10, 10, 100)), 0, 'served at once when the service is back');
});

test('half of the endpoints gone at once, and the mesh does not know: no client sees it, and few dials are wasted', async t => {
  const mesh = await experiment(t, 10);
  t.equal(failed(await mesh.load(10, 20, 100)), 0);
  for (const endpoint of mesh.endpoints.slice(0, 5)) endpoint.kill();
  const before = mesh.endpoints.slice(0, 5).reduce((sum, { dials }) => sum + dials, 0);
  const answers = await mesh.load(100, 20, 100);
  t.equal(failed(answers), 0, '2,000 requests');
  const wasted = mesh.endpoints.slice(0, 5).reduce((sum, { dials }) => sum + dials, 0) - before;
  t.ok(wasted < 100, `${wasted} dials to endpoints that are gone, in 10 s`);
});

test('endpoints that vanish without a word: who waits goes elsewhere after 3 s, who comes later at once', async t => {
  const mesh = await experiment(t, 4);
  conduct(mesh, 'vanish', 0, 1);
  const first = await mesh.send(8);
  t.ok(failed(first) > 0, 'some wait');
  await mesh.pass(4_000);
  const waited = failed(first);
  await mesh.pass(4_000);
  t.equal(failed(first), 0, `${waited} met both of them, and waited twice`);
  const later = await mesh.load(50, 8, 100);
  await mesh.pass(4_000);
  t.equal(failed(later), 0);
});

test('all endpoints gone and back: refused meanwhile, with a reason; served with the first request after', async t => {
  const mesh = await experiment(t, 3);
  for (const endpoint of mesh.endpoints) endpoint.kill();
  const meanwhile = await mesh.load(30, 5, 100);
  t.equal(failed(meanwhile), 150);
  t.ok(meanwhile.every(({ status }) => status === 503));
  t.match(mesh.lines.at(-1), /response_flags="UF,URX"|response_flags="UF"/);
  conduct(mesh, 'ok', 0, 1, 2);
  t.equal(failed(await mesh.load(30, 5, 100)), 0);
});

test('a rollout of every endpoint, the process ending before the mesh hears of it: no failure', async t => {
  const mesh = await experiment(t, 6);
  const serving = mesh.endpoints.slice(0, 3).map(endpoint => endpoint.workload.uid);
  mesh.apply({ removedWorkloads: mesh.endpoints.slice(3).map(endpoint => endpoint.workload.uid) });
  conduct(mesh, { afterMs: 30 }, 0, 1, 2, 3, 4, 5);
  const answers: SimulatedAnswer[] = [];
  for (let i = 0; i < 3; i++) {
    const [old, fresh] = [mesh.endpoints[i], mesh.endpoints[i + 3]];
    if (old === undefined || fresh === undefined) return;
    mesh.apply({ workloads: [fresh.workload] });
    answers.push(...(await mesh.load(20, 5, 50)));
    old.stop();
    answers.push(...(await mesh.load(20, 5, 50)));
    mesh.apply({ removedWorkloads: [serving[i] ?? ''] });
    answers.push(...(await mesh.load(20, 5, 50)));
  }
  await mesh.pass(1_000);
  t.equal(answers.length, 900);
  t.equal(failed(answers), 0);
});

test('circuit breaking: as many requests as the policy allows are under way, one more is refused with UO', async t => {
  const mesh = await experiment(t, 2, { policy: { http2MaxRequests: 10 } });
  conduct(mesh, { afterMs: 1_000 }, 0, 1);
  const answers = await mesh.send(25);
  t.equal(answers.filter(({ status }) => status === 503).length, 15);
  t.equal(reached(mesh), 10, 'the endpoints saw nothing of them');
  t.match(mesh.lines.at(-1), /response_flags="UO".*10 requests are under way already/);
  await mesh.pass(1_100);
  t.equal(failed(answers), 15);
  t.equal(failed(await mesh.send(10).then(async sent => (await mesh.pass(1_100), sent))), 0, 'room again');
});

test('as many retries as the policy allows are under way, others fail with what they got', async t => {
  const mesh = await experiment(t, 3, {
    policy: { maxRetries: 2 },
    rule: { retry: { ...RETRY_5XX, attempts: 1, backoffBaseMs: 1, backoffMaxMs: 1 } },
  });
  conduct(mesh, { afterMs: 100, fails: true }, 0, 1, 2);
  const answers = await mesh.send(20);
  await mesh.pass(150);
  t.equal(
    failed(answers.filter(({ status }) => status !== undefined)),
    18,
    'those that may not be tried again',
  );
  await mesh.pass(200);
  t.equal(answers.filter(({ status }) => status === 503).length, 20);
  t.equal(reached(mesh), 22);
  t.match(mesh.lines.join('\n'), /2 retries are under way already/);
  await mesh.send(1);
  await mesh.pass(400);
  t.equal(reached(mesh), 24, 'they are over: there is room again');
});

test('a share of the requests under way may be retried, though all fail at the same time', async t => {
  const mesh = await experiment(t, 3, {
    policy: { retryConcurrency: { ratio: 0.2, minimum: 3, intervalMs: 0 } },
    rule: { retry: { ...RETRY_5XX, attempts: 1, backoffBaseMs: 50, backoffMaxMs: 100 } },
  });
  conduct(mesh, { afterMs: 100, fails: true }, 0, 1, 2);
  const answers = await mesh.send(100);
  await mesh.pass(500);
  t.equal(answers.filter(({ status }) => status === 503).length, 100);
  const retries = reached(mesh) - 100;
  t.ok(retries >= 3 && retries <= 20, `${retries} retries of 100`);
  t.match(mesh.lines.join('\n'), /retries are under way already/);
  await mesh.send(3);
  await mesh.pass(500);
  t.equal(reached(mesh) - 100 - retries, 6, 'of few requests each');
});

test('one thread of four lets a quarter of the requests through', async t => {
  const mesh = await experiment(t, 2, { policy: { http2MaxRequests: 10 }, settings: { threads: 4 } });
  conduct(mesh, { afterMs: 1_000 }, 0, 1);
  const answers = await mesh.send(25);
  t.equal(answers.filter(({ status }) => status === 503).length, 22);
});

test('more requests than the waypoint takes are refused at once with OM', async t => {
  const mesh = await experiment(t, 2, { settings: { maxRequests: 20 } });
  conduct(mesh, { afterMs: 1_000 }, 0, 1);
  const answers = await mesh.send(30);
  t.equal(answers.filter(({ status }) => status === 503).length, 10);
  t.match(mesh.lines.at(-1), /response_flags="OM".*MAX_REQUESTS/);
  await mesh.pass(1_100);
  t.equal(failed(answers), 10);
});

test('who is left out is shown on the admin page', async t => {
  const mesh = await experiment(t, 3, { policy: { outlierDetection: OUTLIER } });
  conduct(mesh, 'fail', 1);
  await mesh.load(10, 5, 10);
  t.match(mesh.thread.dump(), {
    balancers: [
      {
        service: 'default/echo.default.svc.cluster.local',
        target: '80',
        endpoints: 3,
        out: ['Kubernetes//Pod/default/echo-1'],
        requests: 0,
      },
    ],
  });
});

test('a session stays with its endpoint, and finds another one when that fails', async t => {
  const session = {
    kind: 'cookie',
    name: 'sid',
    path: undefined,
    absoluteTimeoutMs: undefined,
    idleTimeoutMs: undefined,
    lifetime: 'session',
  } as const;
  for (const [where, of] of [
    ['of the rule', { rule: { session } }],
    ['of the traffic policy', { policy: { session } }],
  ] as const) {
    const mesh = await experiment(t, 5, of);
    const [first] = await mesh.send(1);
    const cookie = /set-cookie: (sid=[^;]+)/i.exec(first?.text ?? '')?.[1] ?? '';
    t.not(cookie, '', where);
    const before = mesh.endpoints.map(({ requests }) => requests);
    t.equal(failed(await mesh.send(50, `Cookie: ${cookie}\r\n`)), 0);
    const got = mesh.endpoints.map(({ requests }, i) => requests - (before[i] ?? 0));
    t.same(
      got.toSorted((a, b) => a - b),
      [0, 0, 0, 0, 50],
    );
    mesh.endpoints[got.indexOf(50)]?.kill();
    const [moved] = await mesh.send(1, `Cookie: ${cookie}\r\n`);
    t.equal(moved?.status, 200);
    t.match(moved?.text, /set-cookie: sid=/i, 'and is told');
  }
});

test('a hash of a cookie: the client gets one with its first answer, and its endpoint stays the same', async t => {
  const cookie = { name: 'lb', path: '/', ttlMs: 60_000, attributes: [] };
  const hash = [{ kind: 'cookie', terminal: false, cookie }] as const;
  for (const loadBalancer of [
    { kind: 'ring_hash', minRingSize: 1_024, maxRingSize: undefined, hash },
    { kind: 'maglev', tableSize: 65_537, hash },
  ] as const) {
    const mesh = await experiment(t, 5, { policy: { loadBalancer } });
    const [first] = await mesh.send(1);
    const given =
      /set-cookie: (lb="[^"]+"); Max-Age=60; Path=\/; HttpOnly/i.exec(first?.text ?? '')?.[1] ?? '';
    t.not(given, '', loadBalancer.kind);
    const served = mesh.endpoints.findIndex(({ requests }) => requests === 1);
    await mesh.send(20, `Cookie: ${given}\r\n`);
    t.equal(mesh.endpoints[served]?.requests, 21, loadBalancer.kind);
  }
});
