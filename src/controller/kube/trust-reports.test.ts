import { test } from 'tap';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import type { KubeRequest } from '#shared/kube/client.ts';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { TrustReports, type TrustReportsOptions } from './trust-reports.ts';

/** One ConfigMap, and the pods of the controller. */
class Cluster {
  readonly clock = new FakeClock();
  readonly pods: JsonObject[] = [];
  data: JsonObject | undefined;
  away = false;

  replica(name: string) {
    this.pods.push({ metadata: { name }, status: { phase: 'Running' } });
    const api = new FakeKubeApi(request => this.#answer(request));
    const lines: string[] = [];
    const ca: { phase: TrustReportsOptions['ca']['phase']; trust: TrustReportsOptions['ca']['trust'] } = {
      phase: 'stable',
      trust: { version: '1' },
    };
    const knows = { confirmed: [] as string[], unconfirmed: [] as string[] };
    const reports = new TrustReports({
      api,
      namespace: 'mesh',
      replica: name,
      ca,
      own: () => knows,
      clock: this.clock,
      logger: loggerInto(lines, { scope: name }),
    });
    const prepare = (): void => {
      ca.phase = 'prepared';
      ca.trust = { version: '2' };
    };
    return { api, ca, knows, lines, reports, prepare };
  }

  /** Lets time pass, and what follows happen. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
  }

  #answer({ body, method = 'GET', path }: KubeRequest): JsonObject {
    if (this.away) throw new Error('ECONNREFUSED');
    if (path.endsWith('/pods')) return { metadata: { resourceVersion: '1' }, items: this.pods };
    const data = isJsonObject(body) && isJsonObject(body['data']) ? body['data'] : {};
    if (method === 'POST') this.data = data;
    else if (this.data === undefined) throw new KubeError(404, 'NotFound', 'no such map');
    else if (method === 'PATCH')
      this.data = Object.fromEntries(
        Object.entries({ ...this.data, ...data }).filter(([, value]) => value !== null),
      );
    return { data: this.data };
  }
}

test('replicas tell each other which proxies have the new root, and only while it is new', async t => {
  const cluster = new Cluster();
  const [a, b] = [cluster.replica('a'), cluster.replica('b')];
  for (const { reports } of [a, b]) reports.start();
  await cluster.pass(1_000);
  t.equal(cluster.data, undefined);
  const quiet = a.api.requests.length;
  await cluster.pass(60_000);
  t.equal(a.api.requests.length, quiet, 'between rotations nobody is asked');

  a.prepare();
  a.knows.confirmed.push('p');
  t.match(await a.reports.unconfirmed(), [/the proxies of b/], 'b does not know of the new root yet');
  b.prepare();
  b.knows.unconfirmed.push('q');
  await cluster.pass(1_000);
  t.same(await a.reports.unconfirmed(), ['q']);
  b.knows.unconfirmed.length = 0;
  b.knows.confirmed.push('q');
  await cluster.pass(1_000);
  t.same(await a.reports.unconfirmed(), []);

  cluster.data = {};
  await cluster.pass(1_000);
  t.same(Object.keys(cluster.data), ['a', 'b'], 'a report that somebody removed is written again');
  cluster.pods.pop();
  b.knows.unconfirmed.push('r');
  await cluster.pass(1_000);
  t.same(await a.reports.unconfirmed(), [], 'what a replica said that runs no longer does not count');

  for (const { ca } of [a, b]) ca.phase = 'switched';
  await cluster.pass(1_000);
  t.same(cluster.data, {}, 'nothing stays behind');
  await Promise.all([a.reports.stop(), b.reports.stop()]);
  t.equal(cluster.clock.pendingTimers, 0);
});

test('a rotation waits for an API server that is away', async t => {
  const cluster = new Cluster();
  const a = cluster.replica('a');
  a.prepare();
  cluster.away = true;
  a.reports.start();
  await cluster.pass(3_000);
  t.equal(a.lines.length, 1, 'said once');
  t.match(a.lines[0], /other replicas cannot be told.*ECONNREFUSED/);
  await t.rejects(a.reports.unconfirmed(), /ECONNREFUSED/);
  cluster.away = false;
  await cluster.pass(1_000);
  t.same(await a.reports.unconfirmed(), []);
  await a.reports.stop();
});
