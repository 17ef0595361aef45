import { test } from 'tap';
import type { RouteRule, SessionPersistence } from '#shared/route/model.ts';
import { routeRule } from '#shared/testing/route.ts';
import { noRoutes } from '#shared/testing/topology.ts';
import type { Service } from '#shared/workload/workload.ts';
import { type Answer, ask, backend, deploy, type Deployed } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

const POLICY: SessionPersistence = {
  kind: 'cookie',
  name: 'sid',
  path: undefined,
  absoluteTimeoutMs: undefined,
  idleTimeoutMs: undefined,
  lifetime: 'session',
};

interface Versions extends Deployed {
  readonly mesh: WaypointLab;
  /** Of the subsets v1 and v2, one endpoint each. */
  readonly weigh: (v1: number, v2: number) => void;
}

async function versions(
  t: { teardown(end: () => unknown): void },
  session: SessionPersistence | undefined,
  random = Math.random,
): Promise<Versions> {
  const mesh = await WaypointLab.create({}, random);
  t.teardown(() => mesh.close());
  const rule = (echo: Service, v1: number, v2: number): RouteRule =>
    routeRule({ session, backends: [backend(echo, 'v1', v1), backend(echo, 'v2', v2)] });
  const deployed = await deploy(mesh, [(_req, res) => res.end('v1'), (_req, res) => res.end('v2')]);
  const subset = (name: string, at: number) => ({
    name,
    trafficPolicy: undefined,
    portPolicies: [],
    workloads: deployed.workloads.slice(at, at + 1).map(({ uid }) => uid),
  });
  return {
    ...deployed,
    mesh,
    weigh(v1, v2) {
      const { echo } = deployed;
      const routes = noRoutes(echo, {
        rules: [rule(echo, v1, v2)],
        subsets: [subset('v1', 0), subset('v2', 1)],
        routed: true,
      });
      mesh.apply({ routes: [routes] });
    },
  };
}

/** What a client that got this answer sends from then on. */
function known({ headers }: Answer, kind: SessionPersistence['kind']): Record<string, string> {
  if (kind === 'header') return { sid: String(headers['sid']) };
  return { cookie: String(headers['set-cookie']?.[0]).split(';')[0] ?? '' };
}

for (const kind of ['cookie', 'header'] as const) {
  test(`by ${kind}, a client stays with the backend it was led to, whatever the weights`, async t => {
    const { port, weigh } = await versions(t, { ...POLICY, kind });
    weigh(0, 1);
    const first = await ask(port);
    t.equal(first.body, 'v2');
    const headers = known(first, kind);
    weigh(99, 1);
    for (let i = 0; i < 20; i++) t.equal((await ask(port, { headers })).body, 'v2', `request ${i}`);
    const fresh = await Promise.all(Array.from({ length: 20 }, () => ask(port)));
    t.ok(fresh.filter(({ body }) => body === 'v1').length >= 18, 'new clients go by the weights');
    weigh(1, 0);
    const moved = await ask(port, { headers });
    t.equal(moved.body, 'v1', 'a backend that is to get nothing gets nothing');
    weigh(50, 50);
    const after = known(moved, kind);
    for (let i = 0; i < 10; i++) t.equal((await ask(port, { headers: after })).body, 'v1');
  });
}

test('a session whose backend has no endpoint begins anew elsewhere', async t => {
  // The first request of a rule falls on the first backend then.
  const { mesh, port, weigh, workloads } = await versions(t, POLICY, () => 0.5);
  weigh(0, 1);
  const headers = known(await ask(port), 'cookie');
  weigh(50, 50);
  mesh.apply({ removedWorkloads: workloads.slice(1).map(({ uid }) => uid) });
  const answer = await ask(port, { headers });
  t.match([answer.status, answer.body], [200, 'v1']);
  t.ok(answer.headers['set-cookie'], 'and the client is told');
});

test('without session persistence nobody is told anything', async t => {
  const { port, weigh } = await versions(t, undefined);
  weigh(1, 1);
  const { headers } = await ask(port);
  t.equal(headers['set-cookie'], undefined);
});
