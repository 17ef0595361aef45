import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { endpointOf, port, service, workload } from '#shared/testing/topology.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const subnet = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`;
const clientIp = `${subnet}.1`;
const serverIp = `${subnet}.2`;
const orders = service('orders', { vip: '10.96.0.1', ports: [port(80, 9000)] });
const client = workload('client', { addresses: [clientIp] });
const server = workload('orders-1', { addresses: [serverIp], services: endpointOf(orders) });
const mesh: Partial<MeshDelta> = { workloads: [client, server], services: [orders] };

/** A dedicated ztunnel that starts from its state directory: the controller it is told of does not exist. */
function dedicated(
  name: string,
  ip: string,
  statePath: string,
  change: Record<string, string> = {},
): ZtunnelProcess {
  return new ZtunnelProcess({
    PROXY_MODE: 'dedicated',
    PROXY_WORKLOAD_INFO: `default/${name}/${name}`,
    LISTEN_IP: ip,
    XDS_ADDRESS: `${ip}:1`,
    XDS_ROOT_CA: '/nonexistent',
    TOKEN_PATH: 'off',
    FAKE_CA: 'true',
    STATE_DIR: statePath,
    ADMIN_ADDR: 'off',
    ADMIN_UNIX_SOCKET: `${statePath}/admin.sock`,
    LOG_LEVEL: 'info,ztunnel::state=debug',
    ZTUNNEL_WORKER_THREADS: '2',
    CONNECTION_TERMINATION_DEADLINE: '2s',
    ...change,
  });
}

/** One connection by SOCKS5 to the service with VIP 10.96.0.`vip`, echoed and ended. */
function roundTrip(text: string, vip = 1): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: clientIp, port: 15080, localAddress: clientIp });
    let received = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      if (received.length === 2) socket.write(Buffer.from([5, 1, 0, 1, 10, 96, 0, vip, 0, 80]));
      if (received.length === 12) socket.write(text);
      if (received.length === 12 + text.length) socket.end();
    });
    socket.on('close', () => resolve(received.toString('latin1', 12)));
    socket.on('error', reject);
    socket.write(Buffer.from([5, 1, 0]));
  });
}

test('two processes without a controller carry traffic from what is on disk', async t => {
  const states = [stateDirectory(mesh), stateDirectory(mesh)] as const;
  const app = createServer((socket: Socket) => socket.pipe(socket));
  await new Promise<void>(resolve => app.listen(9000, serverIp, resolve));
  const a = dedicated('client', clientIp, states[0].path);
  let b = dedicated('orders-1', serverIp, states[1].path);
  t.teardown(async () => {
    await Promise.all([a.kill(), b.kill()]);
    await new Promise<void>(resolve => app.close(() => resolve()));
    for (const state of states) state.remove();
  });
  await Promise.all([a.says(/\tready\b/), b.says(/\tready\b/)]);

  t.equal(await roundTrip('first'), 'first');
  await a.says(/direction="outbound" bytes_sent=5 bytes_recv=5/);
  t.match(a.output, /dst\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/orders-1"/);

  const dump = await a.admin('/config_dump');
  t.match(dump, {
    version: /^\d/,
    node: 'localhost',
    workloads: [{ name: 'client' }, { name: 'orders-1', services: {} }],
    services: [{ name: 'orders', hostname: 'orders.default.svc.cluster.local' }],
    certificates: [
      {
        identity: 'spiffe://cluster.local/ns/default/sa/client',
        state: 'Available',
        certChain: [{ type: 'Leaf', valid: true }],
      },
    ],
  });
  t.notMatch(JSON.stringify(dump), /PRIVATE KEY/, 'no key is ever shown');
  const metrics = await a.adminText('/metrics');
  t.match(metrics, /istio_tcp_connections_opened_total\{reporter="source",source_workload="client",.*\} 1\n/);
  t.match(metrics, /istio_build\{component="ztunnel",tag="[\d.]+"\} 1/);
  t.match(metrics, /istio_xds_connection_terminations_total\{reason="connection_error"\} [1-9]/);
  const check = await b.admin(
    `/authz/check?workload=${encodeURIComponent(server.uid)}&port=9000&source=${encodeURIComponent(client.uid)}`,
  );
  t.match(check, {
    allowed: true,
    reason: 'no policy applies',
    source: 'spiffe://cluster.local/ns/default/sa/client',
  });

  await b.says(/state written\t.*certificates\.json/);
  await b.kill('SIGKILL');
  b = dedicated('orders-1', serverIp, states[1].path);
  await b.says(/\tready\b/);
  t.match(b.output, /certificates restored/, 'keys survive in memory-backed storage');
  t.equal(
    await roundTrip('again'),
    'again',
    'a killed process carries traffic again, still without a controller',
  );
});

test('SIGTERM: open connections may end, the process exits 0', async t => {
  const state = stateDirectory(mesh);
  const app = createServer((socket: Socket) => socket.pipe(socket));
  await new Promise<void>(resolve => app.listen(9000, serverIp, resolve));
  const a = dedicated('client', clientIp, state.path);
  const serverState = stateDirectory(mesh);
  const b = dedicated('orders-1', serverIp, serverState.path);
  t.teardown(async () => {
    await Promise.all([a.kill(), b.kill()]);
    await new Promise<void>(resolve => app.close(() => resolve()));
    state.remove();
    serverState.remove();
  });
  await Promise.all([a.says(/\tready\b/), b.says(/\tready\b/)]);
  const open = createConnection({ host: clientIp, port: 15080, localAddress: clientIp });
  let received = 0;
  const echoed = new Promise<void>(resolve => {
    open.on('data', data => {
      received += data.length;
      if (received === 2) open.write(Buffer.from([5, 1, 0, 1, 10, 96, 0, 1, 0, 80]));
      if (received === 12) open.write('x');
      if (received === 13) resolve();
    });
  });
  open.write(Buffer.from([5, 1, 0]));
  await echoed;
  t.match(await a.admin('/debug/connections'), {
    connections: [{ workload: 'default/client', direction: 'Outbound', protocol: 'HBONE' }],
  });
  t.match(await a.admin('/logging?level=debug', 'POST'), { default: 'debug' });
  a.child.kill('SIGTERM');
  await a.says('draining');
  const refused = await new Promise<string>(resolve => {
    const late = createConnection({ host: clientIp, port: 15080, localAddress: clientIp });
    late.on('error', error => resolve('code' in error ? String(error.code) : error.message));
    // Taken by the queue before the listener closed, it would be kept until the drain's deadline, and `open` with it.
    late.on('connect', () => late.on('close', () => resolve('closed')).end());
  });
  t.match(refused, /ECONNREFUSED|ECONNRESET|closed/);
  open.write('y');
  await new Promise<void>(resolve => open.once('data', () => resolve()));
  open.end();
  t.equal(await a.exited, 0);
});

test('an endpoint that is known by name is resolved and reached', async t => {
  const app = createServer((socket: Socket) => socket.pipe(socket));
  await new Promise<void>(resolve => app.listen(0, '127.0.0.1', resolve));
  const bound = app.address();
  const appPort = typeof bound === 'object' && bound !== null ? bound.port : 0;
  const outside = service('outside', { vip: '10.96.0.7', ports: [port(80, appPort)] });
  const named = workload('outside-0', {
    addresses: [],
    hostname: 'localhost',
    tunnelProtocol: 'none',
    services: endpointOf(outside),
  });
  const state = stateDirectory({ workloads: [client, named], services: [outside] });
  const z = dedicated('client', clientIp, state.path);
  t.teardown(async () => {
    await z.kill();
    await new Promise<void>(resolve => app.close(() => resolve()));
    state.remove();
  });
  await z.says(/\tready\b/);
  // The main thread looks names up; until the traffic thread has heard of it, connections are refused.
  let answer = '';
  for (let i = 0; i < 500 && answer === ''; i++) answer = await roundTrip('by name', 7).catch(() => '');
  t.equal(answer, 'by name');
});

test('a file instead of a controller, with a policy in it', async t => {
  const state = stateDirectory({});
  const local = join(state.path, 'mesh.json');
  const pod = (name: string, ip: string, services: object) => ({
    name,
    namespace: 'default',
    serviceAccount: name,
    workloadIps: [ip],
    protocol: 'HBONE',
    services,
  });
  const { hostname } = orders;
  writeFileSync(
    local,
    JSON.stringify({
      workloads: [
        pod('client', clientIp, {}),
        pod('orders-1', serverIp, { [`default/${hostname}`]: { 80: 9000 } }),
      ],
      services: [
        { name: 'orders', namespace: 'default', hostname, vips: ['/10.96.0.1'], ports: { 80: 9000 } },
      ],
      policies: [
        {
          name: 'no-9001',
          namespace: 'default',
          scope: 'Namespace',
          action: 'Deny',
          rules: [[[{ destinationPorts: [9001] }]]],
        },
      ],
    }),
  );
  const app = createServer((socket: Socket) => socket.pipe(socket));
  await new Promise<void>(resolve => app.listen(9000, serverIp, resolve));
  const fromFile = { XDS_ADDRESS: '', STATE_DIR: '', LOCAL_XDS_PATH: local };
  const a = dedicated('client', clientIp, state.path, { ...fromFile, ADMIN_UNIX_SOCKET: '' });
  const b = dedicated('orders-1', serverIp, state.path, fromFile);
  t.teardown(async () => {
    await Promise.all([a.kill(), b.kill()]);
    await new Promise<void>(resolve => app.close(() => resolve()));
    state.remove();
  });
  await Promise.all([a.says(/\tready\b/), b.says(/\tready\b/)]);
  t.equal(await roundTrip('hello'), 'hello');
  const uid = encodeURIComponent('local//Pod/default/orders-1');
  t.match(await b.admin(`/authz/check?workload=${uid}&port=9001`), {
    allowed: false,
    reason: /default\/no-9001 rule 0/,
  });
  t.match(await b.adminText('/authz/check?workload=nobody&port=1'), /"nobody" is not known to this proxy/);
});

test('of two processes of one workload, the one that does not know the mesh yet leaves it to the other', async t => {
  const states = [stateDirectory(mesh), stateDirectory(mesh), stateDirectory({})] as const;
  const app = createServer((socket: Socket) => socket.pipe(socket));
  await new Promise<void>(resolve => app.listen(9000, serverIp, resolve));
  const old = dedicated('client', clientIp, states[0].path);
  const peer = dedicated('orders-1', serverIp, states[1].path);
  const running = [old, peer];
  const local = join(states[2].path, 'mesh.json');
  const beside = { LOCAL_XDS_PATH: local, READINESS_ADDR: 'off', STATS_ADDR: 'off' };
  t.teardown(async () => {
    await Promise.all(running.map(process => process.kill()));
    await new Promise<void>(resolve => app.close(() => resolve()));
    for (const state of states) state.remove();
  });
  await Promise.all([old.says(/\tready\b/), peer.says(/\tready\b/)]);
  const young = dedicated('client', clientIp, states[2].path, beside);
  running.push(young);
  await young.says(
    /a pod stays with the older ztunnel of this node\t.*the configuration of the mesh is not known yet/,
  );
  for (let i = 0; i < 20; i++) t.equal(await roundTrip('hello'), 'hello');
  writeFileSync(local, JSON.stringify({ workloads: [] }));
  await young.says(/\tready\b/);
  t.notMatch(young.output, /\taccess\t/);
});

test('every wrong variable is named at once, and the process ends with 1', async t => {
  const z = new ZtunnelProcess({
    PROXY_MODE: 'cluster',
    LOG_FORMAT: 'xml',
    ADMIN_ADDR: '127.0.0.1',
    XDS_ADDRESS: 'no port here:x',
  });
  t.equal(await z.exited, 1);
  for (const name of ['PROXY_MODE', 'LOG_FORMAT', 'ADMIN_ADDR', 'XDS_ADDRESS', 'POD_SOURCE_DIR']) {
    t.match(z.output, new RegExp(`^ {2}${name}: `, 'm'), name);
  }
});

test('an address that is taken ends the process with the reason', async t => {
  const state = stateDirectory(mesh);
  const taken = createServer();
  await new Promise<void>(resolve => taken.listen(15021, clientIp, resolve));
  t.teardown(async () => {
    await new Promise<void>(resolve => taken.close(() => resolve()));
    state.remove();
  });
  const z = dedicated('client', clientIp, state.path);
  t.equal(await z.exited, 1);
  t.match(z.output, new RegExp(`EADDRINUSE.*${clientIp}:15021`));
});
