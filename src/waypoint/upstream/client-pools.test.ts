import { test } from 'tap';
import { CoarseTimers } from '#shared/lifecycle/coarse-timers.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { NO_TRAFFIC_POLICY } from '#shared/route/traffic-policy.ts';
import { service, workload } from '#shared/testing/topology.ts';
import { EndpointLoad } from '../balance/endpoint.ts';
import { RecordedAttempt, TEST_LIMITS } from '../testing/recorded-attempt.ts';
import { ClientPools, type PoolClient } from './client-pools.ts';
import { Http1Pool } from './http1-pool.ts';
import { upstreamConnection } from './upstream-connection.ts';

const connection = upstreamConnection({ ...NO_TRAFFIC_POLICY, proxyProtocol: 'v1' }, service('api'));
const endpoint = { uid: 'a', workload: workload('a'), targetPort: 80, load: new EndpointLoad() };

const client = (port: number): PoolClient => ({
  ends: { source: { ip: '10.0.0.1', port }, destination: { ip: '10.0.0.2', port: 80 } },
});

interface Bench {
  readonly pools: ClientPools;
  readonly clock: FakeClock;
  /** One request, whose connection is kept. */
  use(of: PoolClient): Promise<void>;
  /** Ports of the clients that have connections. */
  kept(): readonly string[];
  /** Connections that are open, of whomever. */
  open(): number;
}

function bench(maxClients: number): Bench {
  const clock = new FakeClock();
  const pools = new ClientPools(maxClients);
  const timers = new CoarseTimers(clock, 100);
  const pairs: ReturnType<typeof memoryChannelPair>[] = [];
  let open = 0;
  const connect = async () => {
    const pair = memoryChannelPair();
    pairs.push(pair);
    open++;
    pair.right.setHandler({
      onData: () => void pair.right.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')),
      onEnd: () => pair.right.end(),
      onDrain() {},
      onClose: () => open--,
    });
    return pair.left;
  };
  return {
    pools,
    clock,
    async use(of) {
      const set = pools.of(of).of(endpoint, connection);
      const attempt = new RecordedAttempt();
      (set.http1 ??= new Http1Pool({ timers, queueTimeoutMs: 3_000, connect })).start(attempt, TEST_LIMITS);
      while (attempt.state !== 'done') {
        for (const pair of pairs) pair.flush();
        await new Promise(resolve => setImmediate(resolve));
      }
    },
    kept: () =>
      pools
        .rows()
        .filter(row => row.connections > 0)
        .map(row => row.client.slice('10.0.0.1:'.length)),
    open() {
      for (const pair of pairs) pair.flush();
      return open;
    },
  };
}

test('past the bound the connections of whoever has asked nothing for longest are closed', async t => {
  const b = bench(2);
  const [one, two, three] = [client(1), client(2), client(3)];
  await b.use(one);
  await b.use(two);
  await b.use(one);
  t.same(b.kept(), ['2', '1']);
  await b.use(three);
  t.same([b.kept(), b.open()], [['1', '3'], 2]);
  await b.use(two);
  t.same(b.kept(), ['3', '2'], 'it gets others when it asks again');
});

test('what ends with a client, a workload, and time', async t => {
  const b = bench(9);
  const [one, two] = [client(1), client(2)];
  await b.use(one);
  await b.use(two);
  b.pools.leave(one);
  t.same([b.kept(), b.pools.size, b.open()], [['2'], 1, 1], 'the client has gone');
  b.pools.leave(one);
  b.pools.evict('b');
  t.same(b.kept(), ['2'], 'of another workload nothing is closed');
  b.pools.evict('a');
  t.same(b.kept(), []);
  await b.use(two);
  b.pools.reap(b.clock.monotonic() + 1_000, 2_000);
  t.same(b.kept(), ['2']);
  b.clock.advance(5_000);
  b.pools.reap(b.clock.monotonic(), 2_000);
  t.equal(b.pools.size, 0, 'nothing is left of a client that keeps no connection');
  await b.use(two);
  b.pools.retire();
  t.equal(b.pools.size, 0);
  await b.use(two);
  b.pools.close();
  t.equal(b.pools.size, 0);
});
