import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { createConnection, createServer, Socket } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { endpointOf, port, service, workload } from '#shared/testing/topology.ts';
import { stateDirectory } from './testing/state-directory.ts';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const subnet = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`;
const clientIp = `${subnet}.1`;
const serverIp = `${subnet}.2`;
/** More lines than a pipe holds (64 KiB). */
const CONNECTIONS = 300;
const AT_ONCE = 20;

/** A dedicated ztunnel, and behind it an application without a mesh that echoes. */
async function start(t: Test, stdout: number): Promise<ZtunnelProcess> {
  const app = createServer((socket: Socket) => socket.pipe(socket));
  const appPort = await new Promise<number>(resolve => {
    app.listen(0, serverIp, () => {
      const address = app.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  const orders = service('orders', { vip: '10.96.0.1', ports: [port(80, appPort)] });
  const client = workload('client', { addresses: [clientIp] });
  const server = workload('orders-1', {
    addresses: [serverIp],
    services: endpointOf(orders),
    tunnelProtocol: 'none',
  });
  const state = stateDirectory({ workloads: [client, server], services: [orders] });
  const env = {
    PROXY_MODE: 'dedicated',
    PROXY_WORKLOAD_INFO: 'default/client/client',
    LISTEN_IP: clientIp,
    XDS_ADDRESS: `${clientIp}:1`,
    XDS_ROOT_CA: '/nonexistent',
    TOKEN_PATH: 'off',
    FAKE_CA: 'true',
    STATE_DIR: state.path,
    ADMIN_ADDR: 'off',
    ADMIN_UNIX_SOCKET: `${state.path}/admin.sock`,
    ZTUNNEL_WORKER_THREADS: '1',
  };
  const ztunnel = new ZtunnelProcess(env, { stdout });
  t.teardown(async () => {
    await ztunnel.kill();
    await new Promise<void>(resolve => app.close(() => resolve()));
    state.remove();
  });
  return ztunnel;
}

async function untilReady(ztunnel: ZtunnelProcess): Promise<void> {
  for (let answer = ''; answer !== 'ready\n'; )
    answer = await ztunnel
      .adminText('/healthz/ready')
      .catch(() => new Promise<string>(r => setImmediate(r, '')));
}

/** One connection by SOCKS5 to the service, echoed and ended. */
function roundTrip(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: clientIp, port: 15080, localAddress: clientIp });
    let received = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      if (received.length === 2) socket.write(Buffer.from([5, 1, 0, 1, 10, 96, 0, 1, 0, 80]));
      if (received.length === 12) socket.write(text);
      if (received.length === 12 + text.length) socket.end();
    });
    socket.on('close', () => resolve(received.toString('latin1', 12)));
    socket.on('error', reject);
    socket.write(Buffer.from([5, 1, 0]));
  });
}

/** How many connections were echoed, some of them at a time. */
async function carried(): Promise<number> {
  let echoed = 0;
  for (let begun = 0; begun < CONNECTIONS; begun += AT_ONCE) {
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => roundTrip('x')));
    echoed += answers.filter(answer => answer === 'x').length;
  }
  return echoed;
}

test('nobody reads the log: connections are carried, and their lines are there when somebody does', async t => {
  const path = join(t.testdir({}), 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR);
  const ztunnel = await start(t, fd);
  await untilReady(ztunnel);
  t.equal(await carried(), CONNECTIONS);
  t.match(await ztunnel.adminText('/metrics'), /^ambient_log_lines_dropped_total 0$/m);
  const reader = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) });
  let log = '';
  for await (const chunk of reader) {
    log += String(chunk);
    if (log.split('connection complete').length > CONNECTIONS) break;
  }
  closeSync(fd);
  t.pass('all of them');
});

test('the log lies on a full disk: connections are carried, and lost lines are counted', async t => {
  const fd = openSync('/dev/full', 'w');
  const ztunnel = await start(t, fd);
  closeSync(fd);
  await untilReady(ztunnel);
  t.equal(await carried(), CONNECTIONS);
  const metrics = await ztunnel.adminText('/metrics');
  const dropped = Number(/^ambient_log_lines_dropped_total (\d+)$/m.exec(metrics)?.[1]);
  // The last ones are still being gathered.
  t.ok(dropped >= CONNECTIONS / 3, `${dropped} lines`);
});
