import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { formatLoopbackFile } from './pod-view.ts';

const PRELOAD = fileURLToPath(new URL('./socks5-preload.ts', import.meta.url));
const subnet = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`;
const [podIp, otherIp] = [`${subnet}.1`, `${subnet}.2`];

async function listen(t: Test, server: Server, host: string): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  t.teardown(() => new Promise<void>(resolve => server.close(() => resolve())));
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

interface Proxy {
  readonly port: number;
  /** `<client's address> → <host>:<port>` of each request. */
  readonly seen: string[];
}

/**
 * A SOCKS5 server that takes every connection to one server of the test, or refuses with `status`. Its reply leaves in two
 * pieces. The opening is taken in one piece, as a client that does not wait sends it.
 */
async function socks5(t: Test, backend: Server | undefined, status = 0): Promise<Proxy> {
  const backendPort = backend === undefined ? 0 : await listen(t, backend, otherIp);
  const seen: string[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, socket => {
    socket.on('error', () => undefined);
    socket.once('data', (opening: Buffer) => {
      socket.pause();
      const isName = opening[6] === 3;
      const length = isName ? 1 + (opening[7] ?? 0) : 4;
      const host = isName ? opening.toString('latin1', 8, 7 + length) : opening.subarray(7, 11).join('.');
      seen.push(`${socket.remoteAddress ?? ''} → ${host}:${opening.readUInt16BE(7 + length)}`);
      socket.write(Buffer.from([5, 0, 5]));
      setImmediate(() => {
        socket.write(Buffer.from([status, 0, 1, 0, 0, 0, 0, 0, 0]));
        if (status === 0) relay(socket, opening.subarray(9 + length), backendPort);
        else socket.end();
      });
    });
    socket.resume();
  });
  return { port: await listen(t, server, podIp), seen };
}

function relay(socket: Socket, early: Buffer, port: number): void {
  const upstream = connect({ host: otherIp, port, allowHalfOpen: true });
  upstream.on('error', () => socket.destroy());
  upstream.write(early);
  socket.pipe(upstream).pipe(socket);
}

/** Runs a program in the pod; `socks5Port` undefined: outside the mesh. @returns what it printed. */
function inPod(
  t: Test,
  socks5Port: number | undefined,
  program: string,
  services: Parameters<typeof formatLoopbackFile>[0] = new Map(),
): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'preload-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [hosts, network] = [join(directory, 'hosts'), join(directory, 'loopback.json')];
  writeFileSync(hosts, '127.101.0.10 orders.shop\n');
  const ports = socks5Port === undefined ? [] : [[podIp, socks5Port] as const];
  writeFileSync(network, formatLoopbackFile(services, new Map(ports)));
  const env = {
    PATH: process.env['PATH'] ?? '',
    POD_IP: podIp,
    AMBIENT_HOSTS: hosts,
    AMBIENT_LOOPBACK: network,
  };
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--import',
    PRELOAD,
    '--input-type=module',
    '-e',
    program,
  ];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env, timeout: 20_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else reject(new Error(`${error.message}\n${stderr}`));
    });
  });
}

const httpServer = (): Server =>
  createHttpServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => response.end(`${request.method} ${request.headers.host} ${body}`));
  });

test('fetch goes through SOCKS5, the name unresolved', async t => {
  const proxy = await socks5(t, httpServer());
  const program = `
    const r = await fetch('http://orders.shop:8080/a', { method: 'POST', body: 'x'.repeat(100_000) });
    console.log(r.status, (await r.text()).length);`;
  t.equal(await inPod(t, proxy.port, program), `200 ${'POST orders.shop:8080 '.length + 100_000}`);
  t.same(proxy.seen, [`${podIp} → orders.shop:8080`], 'from the address of the pod');
});

test('http with an agent that keeps connections', async t => {
  const proxy = await socks5(t, httpServer());
  const program = `
    import http from 'node:http';
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/a', '/b']) {
      await new Promise((resolve, reject) => http.get('http://${otherIp}:8080' + path, { agent }, r => {
        console.log(r.statusCode, r.req.path); r.resume().on('end', resolve);
      }).on('error', reject));
    }
    agent.destroy();`;
  t.equal(await inPod(t, proxy.port, program), '200 /a\n200 /b');
  t.same(proxy.seen, [`${podIp} → ${otherIp}:8080`], 'one connection, by the address of another pod');
});

test('a server that speaks first, and a client that ends first', async t => {
  const ledger = createServer({ allowHalfOpen: true }, socket => {
    socket.write('hello ');
    socket.on('data', chunk => socket.write(chunk)).on('end', () => socket.end('!'));
  });
  const proxy = await socks5(t, ledger);
  const program = `
    import { connect } from 'node:net';
    const socket = connect(7000, 'ledger.shop', () => socket.end('me'));
    let text = '';
    socket.on('data', c => (text += c)).on('close', () => console.log(text));`;
  t.equal(await inPod(t, proxy.port, program), 'hello me!', 'sees its bytes alone');
});

test('what a program sees of a refusal', async t => {
  const program = `
    import { connect } from 'node:net';
    connect(8080, 'orders.shop').on('error', e => console.log(e.code));`;
  const rows: [sentence: string, status: number, code: string][] = [
    ['policy: a reset, as with capture in the kernel', 2, 'ECONNRESET'],
    ['nobody listens', 5, 'ECONNREFUSED'],
    ['no way there', 4, 'EHOSTUNREACH'],
    ['no answer', 6, 'ETIMEDOUT'],
  ];
  for (const [sentence, status, code] of rows) {
    const proxy = await socks5(t, undefined, status);
    t.equal(await inPod(t, proxy.port, program), code, sentence);
  }
  t.equal(await inPod(t, 1, program), 'ECONNREFUSED', 'its ztunnel is down: never past it');
});

test("a pod's own loopback is the pod", async t => {
  const proxy = await socks5(t, httpServer());
  const program = `
    import { createServer } from 'node:http';
    const server = createServer((q, r) => r.end(q.socket.localAddress + ' ' + q.socket.remoteAddress));
    await new Promise(resolve => server.listen(0, '::', resolve));
    for (const host of ['127.0.0.1', 'localhost']) {
      const answer = await fetch('http://' + host + ':' + server.address().port, { headers: { connection: 'close' } });
      console.log(await answer.text());
    }
    server.close();`;
  t.equal(await inPod(t, proxy.port, program), `${podIp} ${podIp}\n${podIp} ${podIp}`);
  t.same(proxy.seen, [], 'and never the mesh');
});

test('a pod outside the mesh reaches an endpoint of a service, from its own address', async t => {
  const clients: (string | undefined)[] = [];
  const server = createHttpServer((request, response) => {
    clients.push(request.socket.remoteAddress);
    response.end('plain');
  });
  const port = await listen(t, server, otherIp);
  const program = `
    console.log(await (await fetch('http://orders.shop:8080')).text());
    console.log(await fetch('http://orders.shop:9090').catch(e => e.cause.code));`;
  const services = new Map([['127.101.0.10:8080', [{ ip: otherIp, port }]]]);
  t.equal(await inPod(t, undefined, program, services), 'plain\nECONNREFUSED');
  t.same(clients, [podIp]);
});

test("TLS of the program's own is refused, not sent in the wrong order", async t => {
  const proxy = await socks5(t, httpServer());
  const program = `console.log(await fetch('https://orders.shop:8443').catch(e => e.cause.message));`;
  t.match(await inPod(t, proxy.port, program), /TLS of the program itself .* cannot be captured/);
});

test('the ways to say where to connect', async t => {
  const proxy = await socks5(t, httpServer());
  const program = `
    import { connect, Socket } from 'node:net';
    import { once } from 'node:events';
    for (const make of [
      () => connect(8080, 'orders.shop'),
      () => connect({ port: '8080', host: 'orders.shop' }),
      () => new Socket().connect({ port: 8080, host: 'orders.shop' }, () => console.log('connected')),
    ]) {
      const socket = make();
      socket.write('GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n');
      console.log(String((await once(socket, 'data'))[0]).slice(0, 12));
      socket.destroy();
    }
    try { connect({ port: 65_536, host: 'orders.shop' }) } catch (e) { console.log(e.code) }
    connect('/nonexistent.sock').on('error', e => console.log(e.code));
    connect(1, () => undefined).on('error', e => console.log(e.code));`;
  const printed = await inPod(t, proxy.port, program);
  t.same(printed.split('\n').toSorted(), [
    'ECONNREFUSED',
    'ENOENT',
    'ERR_SOCKET_BAD_PORT',
    ...Array.from({ length: 3 }, () => 'HTTP/1.1 200'),
    'connected',
  ]);
  t.equal(proxy.seen.length, 3);
});
