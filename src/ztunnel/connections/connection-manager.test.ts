import { lineWriter } from '#shared/testing/line-writer.ts';
import { test } from 'tap';
import { compile } from '#shared/authz/compile.ts';
import { Denials } from '#shared/authz/denials.ts';
import { authzConnection } from '#shared/authz/connection.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import { AccessLog } from '#shared/observability/access-log.ts';
import type { LogFormat } from '#shared/observability/logger.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { policy, service, workload } from '#shared/testing/topology.ts';
import type { ConnectionPeers } from '#shared/observability/connection-peers.ts';
import { TcpMetrics } from '#shared/observability/tcp-metrics.ts';
import { dumpConnection } from './connection-dump.ts';
import { ConnectionManager } from './connection-manager.ts';
import type { ConnectionPlace } from './place-keeper.ts';

const outbound: ConnectionPeers = {
  reporter: 'source',
  source: workload('client'),
  sourceIdentity: 'spiffe://cluster.local/ns/default/sa/client',
  destination: workload('orders-1', { namespace: 'shop', serviceAccount: 'orders' }),
  destinationIdentity: 'spiffe://cluster.local/ns/shop/sa/orders',
  service: service('orders', { namespace: 'shop' }),
  security: 'mutual_tls',
};
const inbound: ConnectionPeers = { ...outbound, reporter: 'destination', service: undefined };

/** There is always one more. */
const boundless: ConnectionPlace = { take: () => undefined, give: () => undefined };

function setup(format: LogFormat = 'text') {
  const clock = new FakeClock();
  const lines: string[] = [];
  const metrics = new MetricSet();
  const manager = new ConnectionManager({
    clock,
    accessLog: new AccessLog({
      format,
      writer: lineWriter(line => void lines.push(line)),
      now: () => clock.now(),
      subject: 'connection',
    }),
    logsConnections: () => true,
    metrics: new TcpMetrics(metrics),
    denials: new Denials(metrics),
  });
  const total = (name: string): number =>
    metrics
      .snapshot()
      .find(f => f.name === name)
      ?.series.reduce((sum, s) => sum + s.value, 0) ?? 0;
  return { clock, lines, manager, total };
}

/** A copy that only counts, and tells when it was aborted. */
function fakeCopy(bytesSent: number, bytesReceived: number) {
  const aborted: ChannelError[] = [];
  return { bytesSent, bytesReceived, aborted, abort: (reason: ChannelError) => void aborted.push(reason) };
}

test('one line for a connection that ended in order, golden', t => {
  const { clock, lines, manager, total } = setup();
  const connection = manager.start('u-1', '10.0.0.1:40000', outbound, boundless);
  connection.destinationAddress = '10.0.1.1:15008';
  connection.hboneAddress = '10.0.1.1:8080';
  manager.established(connection);
  connection.attach(fakeCopy(84, 239));
  clock.advance(15);
  manager.end(connection, undefined);
  manager.end(connection, undefined);
  t.strictSame(lines, [
    '2026-01-01T00:00:00.015Z\tinfo\taccess\tconnection complete\tsrc.addr="10.0.0.1:40000" src.workload="client" ' +
      'src.namespace="default" src.identity="spiffe://cluster.local/ns/default/sa/client" src.cluster="Kubernetes" ' +
      'dst.addr="10.0.1.1:15008" dst.hbone_addr="10.0.1.1:8080" dst.service="orders.shop.svc.cluster.local" ' +
      'dst.workload="orders-1" dst.namespace="shop" dst.identity="spiffe://cluster.local/ns/shop/sa/orders" ' +
      'dst.cluster="Kubernetes" direction="outbound" bytes_sent=84 bytes_recv=239 duration="15ms"',
  ]);
  t.equal(total('istio_tcp_connections_opened_total'), 1);
  t.equal(total('istio_tcp_connections_closed_total'), 1);
  t.equal(total('istio_tcp_connections_failed_total'), 0);
  t.equal(total('istio_tcp_received_bytes_total'), 84, 'request bytes');
  t.equal(total('istio_tcp_sent_bytes_total'), 239, 'response bytes');
  t.equal(total('istio_tcp_sockets_open'), 0);
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('the same in JSON, seen from the other side', t => {
  const { lines, manager } = setup('json');
  const connection = manager.start('u-1', '10.0.0.1:40000', inbound, boundless);
  connection.destinationAddress = '10.0.1.1:15008';
  manager.established(connection);
  connection.attach(fakeCopy(84, 239));
  manager.end(connection, undefined);
  const [line = '{}'] = lines;
  t.match(JSON.parse(line), {
    level: 'info',
    message: 'connection complete',
    'src.addr': '10.0.0.1:40000',
    'dst.addr': '10.0.1.1:15008',
    direction: 'inbound',
    bytes_sent: 239,
    bytes_recv: 84,
    duration: '0ms',
  });
  t.notMatch(line, /hbone_addr|dst\.service|error/, 'what there is not is left out');
  t.end();
});

test('a connection that never came about is one error line and one failure', t => {
  const { lines, manager, total } = setup();
  const connection = manager.start('u-1', '10.0.0.1:40000', outbound, boundless);
  manager.end(connection, new ChannelError('connect_refused', 'connect to 10.0.1.1:15008: refused'));
  t.equal(lines.length, 1);
  t.match(lines[0], /\terror\taccess\tconnection failed\t.*error="connect to 10\.0\.1\.1:15008: refused"$/);
  t.equal(total('istio_tcp_connections_failed_total'), 1);
  t.equal(total('istio_tcp_connections_opened_total'), 0);
  t.end();
});

test('bytes of a long connection are counted while it lives, and none twice', t => {
  const { clock, manager, total } = setup();
  const connection = manager.start('u-1', '10.0.0.1:40000', outbound, boundless);
  manager.established(connection);
  const copy = fakeCopy(100, 0);
  connection.attach(copy);
  clock.advance(5_000);
  t.equal(total('istio_tcp_received_bytes_total'), 100);
  t.equal(total('istio_tcp_sockets_open'), 2);
  copy.bytesSent = 150;
  clock.advance(5_000);
  t.equal(total('istio_tcp_received_bytes_total'), 150);
  manager.end(connection, undefined);
  t.equal(total('istio_tcp_received_bytes_total'), 150);
  t.end();
});

test('a policy change cuts exactly the connections it forbids, and names the rule', t => {
  const { lines, manager, total } = setup();
  const open = (principal: string) => {
    const connection = manager.start('u-1', '10.0.0.1:40000', inbound, boundless);
    connection.authz = authzConnection({
      sourceIdentity: `spiffe://cluster.local/ns/default/sa/${principal}`,
      sourceIp: '10.0.0.1',
      destinationIp: '10.0.1.1',
      destinationPort: 8080,
    });
    manager.established(connection);
    const copy = fakeCopy(0, 0);
    connection.attach(copy);
    return { connection, copy };
  };
  const evil = open('evil');
  const good = open('good');
  const waiting = manager.start('u-1', '10.0.0.1:1', inbound, boundless);
  waiting.authz = evil.connection.authz;
  const principals = [{ kind: 'exact' as const, value: 'cluster.local/ns/default/sa/evil' }];
  const policies = compile([policy('no-evil', 'deny', [{ principals }])]);
  t.equal(
    manager.recheck(() => policies),
    2,
  );
  t.match(evil.copy.aborted, [
    { code: 'policy', message: /policy changed: denied by default\/no-evil rule 0/ },
  ]);
  t.strictSame(good.copy.aborted, []);
  t.match(waiting.aborted, { code: 'policy' }, 'one that is being established is told as well');
  manager.end(evil.connection, new ChannelError('reset', 'the sockets say something else'));
  t.match(lines[0], /error="policy changed: denied by default\/no-evil rule 0"/);
  t.equal(total('istio_tcp_connections_failed_total'), 1);
  t.equal(
    manager.recheck(() => undefined),
    0,
    'a workload whose policies are not known is left alone',
  );
  t.end();
});

test('cutting all, cutting those of a pod, and waiting for the last', async t => {
  const { manager } = setup();
  const open = (pod: string) => {
    const connection = manager.start(pod, '10.0.0.1:40000', outbound, boundless);
    connection.attach({ bytesSent: 0, bytesReceived: 0, abort: reason => manager.end(connection, reason) });
    return connection;
  };
  for (const pod of ['a', 'b', 'a', 'c', 'a']) open(pod);
  manager.abortPod('a', new ChannelError('aborted', 'gone'));
  t.strictSame(manager.live.map(c => c.podUid).sort(), ['b', 'c']);
  let empty = false;
  const wait = manager.whenEmpty().then(() => (empty = true));
  t.notOk(empty);
  manager.abortAll(new ChannelError('drain', 'over'));
  await wait;
  t.equal(manager.live.length, 0);
  await manager.whenEmpty();
});

test('the dump of a live connection', t => {
  const { manager } = setup();
  const connection = manager.start('u-1', '10.0.0.1:40000', inbound, boundless);
  connection.destinationAddress = '10.0.1.1:15008';
  connection.hboneAddress = '10.0.1.1:8080';
  connection.attach(fakeCopy(1, 2));
  t.strictSame(dumpConnection(connection), {
    workload: 'shop/orders-1',
    direction: 'Inbound',
    local: '10.0.1.1:15008',
    remote: '10.0.0.1:40000',
    remoteTarget: '10.0.1.1:8080',
    protocol: 'HBONE',
    openedAt: '2026-01-01T00:00:00.000Z',
    bytesSent: 2,
    bytesReceived: 1,
    sourceIdentity: outbound.sourceIdentity,
    destinationIdentity: outbound.destinationIdentity,
  });
  t.end();
});
