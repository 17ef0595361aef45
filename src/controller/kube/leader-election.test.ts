import { test } from 'tap';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import type { KubeRequest } from '#shared/kube/client.ts';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { LeaderElection } from './leader-election.ts';

/** An API server that keeps one Lease, with optimistic locking. */
class LeaseServer {
  readonly clock = new FakeClock();
  lease: JsonObject | undefined;
  away = false;
  #version = 0;

  replica(me: string) {
    const did: string[] = [];
    const api = new FakeKubeApi(request => this.#answer(request));
    const election = new LeaderElection({
      api,
      clock: this.clock,
      random: () => 0.5,
      logger: quietLogger,
      namespace: 'mesh',
      name: 'leader',
      me,
    });
    election.add({
      name: 'writer',
      start: () => void did.push('start'),
      stop: () => void did.push('stop'),
    });
    election.start();
    return { election, did };
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left >= 0; left -= 500) {
      this.clock.advance(Math.min(500, left));
      for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setImmediate(resolve));
    }
  }

  get holder(): unknown {
    return isJsonObject(this.lease?.['spec']) ? this.lease['spec']['holderIdentity'] : undefined;
  }

  #answer({ body, method = 'GET' }: KubeRequest): JsonObject {
    if (this.away) throw new Error('ECONNREFUSED');
    if (method === 'GET') {
      if (this.lease === undefined) throw new KubeError(404, 'NotFound', 'no lease');
      return this.lease;
    }
    const metadata = isJsonObject(body) && isJsonObject(body['metadata']) ? body['metadata'] : {};
    const now = isJsonObject(this.lease?.['metadata']) ? this.lease['metadata'] : {};
    const isStale = metadata['resourceVersion'] !== now['resourceVersion'];
    if (isStale || !isJsonObject(body)) throw new KubeError(409, 'Conflict', 'changed');
    this.lease = { ...body, metadata: { ...metadata, resourceVersion: String(++this.#version) } };
    return this.lease;
  }
}

test('of two replicas one leads, and the other one as soon as it has gone in order', async t => {
  const server = new LeaseServer();
  const [a, b] = [server.replica('a'), server.replica('b')];
  await server.pass(3000);
  t.same([a.did, b.did], [['start'], []]);
  t.equal(b.election.leaseHolder, 'a');
  await server.pass(60_000);
  t.same([a.did, b.did], [['start'], []], 'it goes on leading');
  await a.election.stop();
  t.same(a.did, ['start', 'stop']);
  t.equal(server.holder, '');
  await server.pass(2500);
  t.same(b.did, ['start']);
  await b.election.stop();
  t.equal(server.clock.pendingTimers, 0);
});

test('a leader that dies is followed after the lease has run out', async t => {
  const server = new LeaseServer();
  // It took the lease and was never heard of again.
  server.lease = {
    metadata: { resourceVersion: '0' },
    spec: { holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: '2036-01-01T00:00:00.000000Z' },
  };
  const b = server.replica('b');
  await server.pass(14_000);
  t.same(b.did, []);
  await server.pass(4_000);
  t.same(b.did, ['start'], 'whatever time its clock had written');
  await b.election.stop();
});

test('a leader that cannot renew stops before another one can begin, and begins again', async t => {
  const server = new LeaseServer();
  const a = server.replica('a');
  await server.pass(1000);
  server.away = true;
  await server.pass(2500);
  t.same(a.did, ['start'], 'not at once: an answer may be late');
  await server.pass(2000);
  t.same(a.did, ['start', 'stop'], 'after 4 s, where a lease lasts 6');
  server.away = false;
  await server.pass(3000);
  t.same(a.did, ['start', 'stop', 'start']);
  await a.election.stop();
});

test('a leader whose lease somebody else has stops at once', async t => {
  const server = new LeaseServer();
  const a = server.replica('a');
  await server.pass(1000);
  server.lease = {
    metadata: { resourceVersion: '99' },
    spec: { holderIdentity: 'b', leaseDurationSeconds: 15 },
  };
  await server.pass(4500);
  t.same(a.did, ['start', 'stop']);
  t.equal(a.election.isLeader, false);
  await a.election.stop();
  t.equal(server.holder, 'b', 'and does not release what is not its own');
});

for (const [what, hours] of [
  ['forward', 6],
  ['back', -6],
] as const) {
  test(`a wall clock that is set ${what} by hours changes nobody's leadership`, async t => {
    const server = new LeaseServer();
    const [a, b] = [server.replica('a'), server.replica('b')];
    await server.pass(3000);
    server.clock.jumpWallClock(hours * 3_600_000);
    await server.pass(20_000);
    t.same([a.did, b.did], [['start'], []]);
    await a.election.stop();
    await server.pass(2500);
    t.same(b.did, ['start'], 'and the next one need not wait for the clock');
    await b.election.stop();
  });
}

test('a leader whose machine slept for hours, and whose lease others took, stops within two turns', async t => {
  const server = new LeaseServer();
  const a = server.replica('a');
  await server.pass(1000);
  // Its timers stood still meanwhile: nothing tells it but the lease itself.
  server.clock.jumpWallClock(5 * 3_600_000);
  server.lease = {
    metadata: { resourceVersion: '99' },
    spec: { holderIdentity: 'b', leaseDurationSeconds: 6 },
  };
  await server.pass(2500);
  t.same(a.did, ['start', 'stop']);
  await a.election.stop();
});

test('a task that is added late starts at once, and one that fails is not all of them', async t => {
  const server = new LeaseServer();
  const a = server.replica('a');
  a.election.add({
    name: 'broken',
    start: () => {
      throw new Error('no');
    },
    stop: () => Promise.reject(new Error('no')),
  });
  await server.pass(1000);
  const late: string[] = [];
  a.election.add({ name: 'late', start: () => void late.push('start'), stop: () => void late.push('stop') });
  t.same(late, ['start']);
  await a.election.stop();
  t.same(
    [late, a.did],
    [
      ['start', 'stop'],
      ['start', 'stop'],
    ],
  );
});
