import { get, request, type IncomingMessage } from 'node:http';
import { type Test, test } from 'tap';
import { isFrame } from '#shared/dashboard/frame-guards.ts';
import { parseJson } from '#shared/config/json.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { CliError } from '../../cli-error.ts';
import { MeshWatch } from '../mesh-watch.ts';
import { FakeProxies } from '../testing/fake-proxies.ts';
import { turns } from '../testing/turns.ts';
import { DashboardServer, type DashboardServerOptions } from './dashboard-server.ts';

const TOKEN = 'secret';
const HOST = '127.0.0.1';
const DUMP = {
  workloads: [{ uid: 'a', name: 'a', namespace: 'shop', tunnelProtocol: 'hbone' }],
  services: [],
};

interface Served {
  readonly server: DashboardServer;
  readonly clock: FakeClock;
  readonly proxies: FakeProxies;
  readonly port: number;
  readonly ask: (path: string, headers?: Readonly<Record<string, string>>) => Promise<IncomingMessage>;
}

async function serve(t: Test, change: Partial<DashboardServerOptions> = {}): Promise<Served> {
  const clock = new FakeClock();
  const proxies = new FakeProxies().add('ztunnel', 'z', { '/config_dump': DUMP, '/stats/prometheus': '' });
  const watch = new MeshWatch({ proxies, ask: proxies.ask, clock, intervalMs: 3_000 });
  const server = new DashboardServer({
    watch,
    label: { mesh: 'a mesh', cliOptions: '', isCluster: false },
    page: new Map([['/', { contentType: 'text/html; charset=utf-8', body: '<p>page</p>' }]]),
    clock,
    token: TOKEN,
    hosts: [],
    describe: () => Promise.reject(new CliError('no service "x"')),
    tap: () => Promise.resolve(),
    ...change,
  });
  const port = await server.listen(HOST, 0);
  t.teardown(async () => {
    watch.stop();
    await server.close();
  });
  watch.start();
  await turns();
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const all = { authorization: `Bearer ${TOKEN}`, ...headers };
      get({ host: HOST, port, path, headers: all, agent: false }, resolve).on('error', reject);
    });
  return { server, clock, proxies, port, ask };
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return body;
}

/** The next events of a stream, as they come. */
function eventsOf(response: IncomingMessage): { readonly next: () => Promise<unknown> } {
  const seen: unknown[] = [];
  let waiting: ((event: unknown) => void) | undefined;
  let held = '';
  response.setEncoding('utf8').on('data', (text: string) => {
    const parts = (held + text).split('\n\n');
    held = parts.pop() ?? '';
    for (const part of parts.filter(p => p.startsWith('data: '))) {
      const event = parseJson(part.slice('data: '.length));
      if (waiting === undefined) seen.push(event);
      else waiting(event);
      waiting = undefined;
    }
  });
  response.on('close', () => waiting?.(undefined));
  return {
    next: () =>
      new Promise(resolve => {
        if (seen.length > 0) resolve(seen.shift());
        else if (response.closed) resolve(undefined);
        else waiting = resolve;
      }),
  };
}

test('every answer forbids to load, run or frame anything else', async t => {
  const { ask } = await serve(t);
  for (const path of ['/', '/nowhere', '/api/describe?name=x', '/api/live?view=nothing']) {
    const { headers } = await ask(path);
    const policy = String(headers['content-security-policy']);
    t.match(policy, /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/, path);
    t.notMatch(policy, /unsafe|http:|\*/, path);
    t.match(headers, {
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
  }
});

/** [sentence, path, headers, status, answer] */
const ANSWERS: readonly (readonly [string, string, Readonly<Record<string, string>>, number, RegExp])[] = [
  ['the page', '/', { authorization: '' }, 200, /page/],
  ['no such page', '/../../etc/passwd', {}, 404, /no such page/],
  ['without the token', '/api/live?view=graph', { authorization: '' }, 401, /open the address/],
  ['under another name', '/', { host: 'evil.example' }, 403, /"evil.example" is none of this dashboard/],
  ['from another site', '/api/live?view=graph', { origin: 'http://evil.example' }, 403, /other sites/],
  ['a view that is not known', '/api/live?view=x', {}, 400, /use graph, detail/],
  ['what cannot be described', '/api/describe?kind=service&name=x', {}, 404, /no service "x"/],
  ['another page of the API', '/api/else', {}, 404, /no such page/],
];

test('what is answered', async t => {
  const { ask } = await serve(t);
  for (const [sentence, path, headers, status, wanted] of ANSWERS) {
    const response = await ask(path, headers);
    t.equal(response.statusCode, status, sentence);
    t.match(await bodyOf(response), wanted, sentence);
  }
});

test('nothing can be changed', async t => {
  const { port } = await serve(t);
  const status = await new Promise(resolve => {
    request({ host: HOST, port, path: '/', method: 'POST', agent: false }, r => resolve(r.statusCode)).end(
      'x',
    );
  });
  t.equal(status, 405);
});

test('a page hears at once, whenever something is new, and that the connection is alive', async t => {
  const { ask, clock, proxies } = await serve(t);
  const response = await ask('/api/live?view=graph&by=workload');
  t.match(response.headers, { 'content-type': /^text\/event-stream/ });
  const events = eventsOf(response);
  const first = await events.next();
  t.ok(isFrame(first), 'it is what the page takes for a frame');
  t.match(first, { view: 'graph', by: 'workload', nodes: [{ id: 'workload/shop/a' }] });
  proxies.pages.delete('z /config_dump');
  clock.advance(5_000);
  await turns();
  clock.advance(500);
  t.match(await events.next(), { head: { warnings: [/^ztunnel z: cannot reach z/] } });
  const alive = new Promise(resolve => response.once('data', resolve));
  clock.advance(5_000);
  t.match(await alive, /^(?:: still here|data: )/);
});

test('frames of every view are what the page takes for frames', async t => {
  const { ask } = await serve(t);
  for (const view of [
    'graph',
    'services',
    'workloads',
    'proxies',
    'policies',
    'problems',
    'detail&name=shop/a',
  ]) {
    const response = await ask(`/api/live?view=${view}&by=workload`);
    t.ok(isFrame(await eventsOf(response).next()), view);
    response.destroy();
  }
});

test('so many pages and no more, and one that is closed makes room', async t => {
  const { ask } = await serve(t);
  const open: IncomingMessage[] = [];
  for (let i = 0; i < 24; i++) open.push(await ask('/api/live?view=graph'));
  const refused = await ask('/api/live?view=graph');
  t.equal(refused.statusCode, 429);
  t.match(await bodyOf(refused), /24 pages are open/);
  open.pop()?.destroy();
  let status: number | undefined = 429;
  for (let i = 0; i < 100 && status === 429; i++) {
    await turns();
    const again = await ask('/api/live?view=graph');
    status = again.statusCode;
    open.push(again);
  }
  t.equal(status, 200);
  for (const response of open) response.destroy();
});

test('a tap is asked for with its filter, bounded, and ends with who looked at it', async t => {
  const asked: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  const { ask } = await serve(t, {
    tap: (service, filter, onEvent, signal) => {
      asked.push(service, filter);
      onEvent({ note: 'hello' });
      return new Promise(resolve => signal.addEventListener('abort', () => resolve(ended.resolve())));
    },
  });
  const response = await ask(
    '/api/tap?service=payments&namespace=shop&path=%2Fa&status=&headers=true&max_rps=9999',
  );
  t.match(await eventsOf(response).next(), { note: 'hello' });
  t.same(asked, ['payments', { namespace: 'shop', path: '/a', maxRps: '20', duration: '10m' }]);
  const more = await Promise.all([1, 2, 3].map(() => ask('/api/tap?service=payments')));
  t.equal((await ask('/api/tap?service=payments')).statusCode, 429, 'four and no more');
  for (const tap of [response, ...more]) tap.destroy();
  await ended.promise;
});

test('why a tap ended is told', async t => {
  const { ask } = await serve(t, { tap: () => Promise.reject(new CliError('no waypoint is running')) });
  const events = eventsOf(await ask('/api/tap?service=payments'));
  t.match(await events.next(), { note: 'no waypoint is running' });
  t.equal(await events.next(), undefined, 'and it is over');
});

test('when it ends its pages are told', async t => {
  const { ask, server } = await serve(t);
  const events = eventsOf(await ask('/api/live?view=graph'));
  await events.next();
  await server.close();
  t.equal(await events.next(), undefined);
});
