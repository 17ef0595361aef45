import { mkdtempSync, rmSync } from 'node:fs';
import { get, request } from 'node:http';
import { tmpdir } from 'node:os';
import { test } from 'tap';
import { Readiness } from '../lifecycle/readiness.ts';
import { loggingRoutes, metricsRoutes, readinessRoute } from './admin-routes.ts';
import { AdminServer, json } from './admin-server.ts';
import { LogLevels } from './logger.ts';
import { quietLogger } from '../testing/quiet-logger.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(
  options: { port?: number; socketPath?: string; headers?: Record<string, string> },
  path: string,
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = (method === 'GET' ? get : request)(
      { ...options, host: '127.0.0.1', path, method, agent: false },
      res => {
        let body = '';
        res.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        res.on('end', () => resolve({ status: res.statusCode ?? 0, body }));
      },
    );
    call.on('error', reject);
    call.end();
  });
}

test('routes answer over TCP and over a unix socket', async t => {
  const levels = new LogLevels('info');
  const readiness = new Readiness();
  const done = readiness.register('configuration');
  const changes: string[] = [];
  const routes = [
    readinessRoute(readiness),
    ...loggingRoutes(levels, (level, scope) => changes.push(`${scope ?? '*'}=${level}`)),
    ...metricsRoutes(() => Promise.resolve('x_total 1\n'), 'text/plain'),
    { method: 'GET' as const, path: '/map', help: 'a map', handle: () => json(new Map([['a', 1]])) },
    {
      method: 'GET' as const,
      path: '/broken',
      help: 'fails',
      handle: () => Promise.reject(new Error('disk on fire')),
    },
  ];
  const server = new AdminServer(routes, quietLogger);
  t.teardown(() => server.close());
  const port = await server.listen({ ip: '127.0.0.1', port: 0 });
  const dir = mkdtempSync(`${tmpdir()}/admin-`);
  t.teardown(() => rmSync(dir, { recursive: true }));
  const unixSocket = `${dir}/admin.sock`;
  await server.listen({ unixSocket });

  t.match(await ask({ port }, '/healthz/ready'), { status: 503, body: 'waiting for: configuration\n' });
  done();
  t.match(await ask({ socketPath: unixSocket }, '/healthz/ready'), { status: 200 });
  t.match(await ask({ port }, '/stats/prometheus'), { status: 200, body: 'x_total 1\n' });
  t.match(await ask({ port }, '/map'), { status: 200, body: '"a": 1' });
  t.match(await ask({ port }, '/broken'), { status: 500, body: 'disk on fire\n' });
  t.match(await ask({ port }, '/nope'), { status: 404, body: 'no such page: GET /nope' });
  t.match(await ask({ port }, '/logging?level=loud', 'POST'), {
    status: 400,
    body: '"loud" is not accepted',
  });
  t.match(await ask({ port }, '/logging?ztunnel::proxy=debug', 'POST'), { status: 200 });
  t.same(changes, ['ztunnel::proxy=debug']);
  t.same(levels.describe(), { default: 'info', scopes: { 'ztunnel::proxy': 'debug' } });
});

test('an address that is taken is an error at start', async t => {
  const first = new AdminServer([], quietLogger);
  const second = new AdminServer([], quietLogger);
  t.teardown(() => Promise.all([first.close(), second.close()]));
  const port = await first.listen({ ip: '127.0.0.1', port: 0 });
  await t.rejects(second.listen({ ip: '127.0.0.1', port }), { code: 'EADDRINUSE' });
});

test('a unix socket path longer than the kernel takes is an error that says so', async t => {
  const server = new AdminServer([], quietLogger);
  await t.rejects(server.listen({ unixSocket: `/tmp/${'x'.repeat(120)}` }), /at most 107 bytes/);
});

test('a web page in the browser of an operator gets nothing', async t => {
  const levels = new LogLevels('info');
  const server = new AdminServer(
    loggingRoutes(levels, () => undefined),
    quietLogger,
  );
  t.teardown(() => server.close());
  const port = await server.listen({ ip: '127.0.0.1', port: 0 });
  const rows: readonly (readonly [string, Record<string, string>, string, number])[] = [
    ['a name that was made to point here is refused', { host: 'evil.example:15000' }, 'GET', 403],
    ['a form on another site is refused', { origin: 'http://evil.example' }, 'POST', 403],
    ['localhost is taken', { host: 'localhost:15000' }, 'GET', 200],
    ['an IPv6 address is taken', { host: '[::1]:15000' }, 'GET', 200],
  ];
  for (const [name, headers, method, status] of rows) {
    t.equal((await ask({ port, headers }, '/logging?level=debug', method)).status, status, name);
  }
  t.equal(levels.describe().default, 'info', 'nothing was changed');
});
