import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { test, type Test } from 'tap';
import { grpcCollector, httpCollector } from '#shared/testing/otlp-collector.ts';
import { ask } from './testing/deploy.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const START_MS = 30_000;

/** A waypoint as a process of its own, without a mesh: what it does to requests is the same. */
async function start(t: Test, upstream: Server, env: Readonly<Record<string, string>>) {
  const port = await freePort();
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      ACCESS_LOG: 'all',
      LISTEN_PLAINTEXT: `127.0.0.1:${port}`,
      PLAINTEXT_UPSTREAM: `127.0.0.1:${portOf(upstream)}`,
      WORKER_THREADS: '2',
      ...env,
    },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  for (const end = Date.now() + START_MS; ; ) {
    const answered = await ask(port, { path: '/probe' }).catch(() => undefined);
    if (answered !== undefined) break;
    if (Date.now() > end || child.exitCode !== null) throw new Error(`it does not listen: ${said}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  const stop = async (): Promise<number | null> => {
    child.kill('SIGTERM');
    await once(child, 'close');
    return child.exitCode;
  };
  return { port, stop, said: () => said };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

async function listening(t: Test, server: Server): Promise<Server> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return server;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const port = portOf(server);
  await new Promise(resolve => server.close(resolve));
  return port;
}

for (const [protocol, collect] of [
  ['http/protobuf', httpCollector],
  ['grpc', grpcCollector],
] as const) {
  test(`traces of a whole process reach a collector by ${protocol}, the last ones as it ends`, async t => {
    const collector = await collect();
    t.teardown(() => collector.close());
    const parents: unknown[] = [];
    const app = createServer((req, res) => {
      parents.push(req.headers['traceparent']);
      res.end();
    });
    const waypoint = await start(t, await listening(t, app), {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.href,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_TRACES_SAMPLER_ARG: '0',
      OTEL_SERVICE_NAME: 'gate',
    });
    const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
    t.equal((await ask(waypoint.port, { path: '/traced', headers })).status, 200);
    t.match(parents.at(-1), new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    t.equal(await waypoint.stop(), 0, waypoint.said());
    const all = JSON.stringify(collector.received);
    t.match(all, `"trace_id":"${TRACE}"`);
    t.match(all, '"parent_span_id":"b7ad6b7169203331"');
    t.match(all, '{"key":"service.name","value":{"string_value":"gate"}}');
    t.notMatch(all, '/probe', 'in no trace, and none begins here');
    t.match(waypoint.said(), /path="?\/traced"? .*response_code=200/, 'and the access log has it');
  });
}

test('a process that ends answers what it has taken, and takes nothing more', async t => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const app = createServer((req, res) => {
    if (req.url === '/probe') return void res.end();
    asked.resolve();
    void answer.promise.then(() => res.end('late'));
  });
  const waypoint = await start(t, await listening(t, app), {});
  const late = ask(waypoint.port, { path: '/late' });
  await asked.promise;
  const stopped = waypoint.stop();
  while (
    await ask(waypoint.port, { path: '/probe' }).then(
      () => true,
      () => false,
    )
  )
    await new Promise(resolve => setTimeout(resolve, 20));
  answer.resolve();
  t.match(await late, { status: 200, body: 'late', headers: { connection: 'close' } });
  t.equal(await stopped, 0, waypoint.said());
});
