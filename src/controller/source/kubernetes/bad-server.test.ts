import { type Test, test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { type Asked, HttpApiServer, sendEvents, sendJson } from '#shared/testing/http-api-server.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { keyOf } from '../kube-object.ts';
import { KubernetesSource } from './kubernetes-source.ts';

const MINUTE_MS = 60_000;
const KINDS = [
  { kind: 'Namespace', name: 'namespaces', namespaced: false },
  { kind: 'Pod', name: 'pods', namespaced: true },
];
const POLICIES = { kind: 'AuthorizationPolicy', name: 'authorizationpolicies', namespaced: true };
const POLICY = {
  metadata: { namespace: 'shop', name: 'deny', resourceVersion: '7' },
  spec: { action: 'DENY', rules: [{}] },
};

/** A cluster with one policy. */
function answerWell({ isWatch, request, response }: Asked): void {
  const path = new URL(request.url ?? '/', 'http://api').pathname;
  const verbs = ['list', 'watch'];
  if (isWatch) sendEvents(response);
  else if (path === '/api/v1') sendJson(response, { resources: KINDS.map(kind => ({ ...kind, verbs })) });
  else if (path === '/apis/security.istio.io') sendJson(response, { versions: [{ version: 'v1' }] });
  else if (path === '/apis/security.istio.io/v1') sendJson(response, { resources: [{ ...POLICIES, verbs }] });
  else if (path.endsWith('/authorizationpolicies'))
    sendJson(response, { metadata: { resourceVersion: '9' }, items: [POLICY] });
  else if (path.endsWith('s') && !path.startsWith('/apis/'))
    sendJson(response, { metadata: { resourceVersion: '9' }, items: [] });
  else if (path.includes('customresourcedefinitions'))
    sendJson(response, { metadata: { resourceVersion: '9' }, items: [] });
  else response.writeHead(404).end('404 page not found\n');
}

async function setUp(t: Test) {
  const clock = new FakeClock();
  const server = await HttpApiServer.start(clock);
  const lines: string[] = [];
  const held = new Set<string>();
  const problems: string[] = [];
  const errors: string[] = [];
  const source = new KubernetesSource({
    api: server.client,
    clock,
    random: () => 0.5,
    tlsSecrets: false,
    onWatchError: kind => void errors.push(kind),
    logger: loggerInto(lines),
  });
  t.teardown(async () => {
    await source.stop();
    await server.stop();
  });
  const state = { started: false };
  const start = (): void => {
    void source
      .start({
        onChange: ({ deletes, upserts }) => {
          for (const key of deletes) held.delete(key);
          for (const object of upserts) held.add(keyOf(object));
        },
        onProblems: found =>
          problems.splice(0, problems.length, ...found.map(p => `${p.origin}: ${p.message}`)),
      })
      .then(() => (state.started = true));
  };
  const pass = async (ms: number, done: () => boolean = () => false): Promise<void> => {
    for (let left = ms; left > 0 && !done(); left -= 1_000) {
      clock.advance(1_000);
      for (let turn = 0; turn < 60; turn++) await new Promise(resolve => setImmediate(resolve));
    }
  };
  return { errors, held, lines, pass, problems, server, source, start, state };
}

const HELD = ['AuthorizationPolicy/shop/deny'];

/** What becomes of an API server that was there. */
const FAULTS: readonly (readonly [string, (asked: Asked) => void, told: RegExp])[] = [
  ['accepts and never answers', () => undefined, /no answer within/],
  [
    'refuses everything',
    ({ response }) => sendJson(response, { code: 503, message: 'shutting down' }, 503),
    /shutting down/,
  ],
  [
    'has a load balancer before it that knows of nobody behind it',
    ({ response }) => void response.writeHead(404).end('default backend - 404'),
    /HTTP status 404|no API server/,
  ],
  [
    'has a proxy before it that asks to log in',
    ({ response }) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>log in</html>'),
    /no JSON object|watch/,
  ],
  [
    'answers with objects of somebody else',
    ({ response }) => sendJson(response, { hello: 'world' }),
    /is no list|no API server|watch/,
  ],
];

for (const [what, answer, told] of FAULTS) {
  test(`an API server that ${what}: no object is lost, it is told, and all goes on when it is back`, async t => {
    const { errors, held, lines, pass, problems, server, source, start, state } = await setUp(t);
    server.answer = answerWell;
    start();
    await pass(MINUTE_MS, () => state.started);
    t.same([...held], HELD);
    server.answer = answer;
    for (const { request } of server.asked) request.socket.destroy();
    await pass(5 * MINUTE_MS);
    t.same([...held], HELD);
    t.match(problems.join(), told);
    t.ok(errors.length > 0, 'and counted');
    t.notMatch(lines.join('\n'), /no longer served/);
    const said = lines.filter(line => line.includes('not in step')).length;
    t.ok(said <= KINDS.length + 2, `a line a kind (${said})`);
    server.answer = answerWell;
    await pass(3 * MINUTE_MS, () => problems.length === 0);
    t.same([...held], HELD);
    t.same(source.waitingFor(), []);
  });

  test(`a start with an API server that ${what}: it is waited for, and said`, async t => {
    const { held, lines, pass, server, source, start, state } = await setUp(t);
    server.answer = answer;
    start();
    await pass(2 * MINUTE_MS);
    t.notOk(state.started);
    t.match(source.waitingFor(), [/^API server: /]);
    t.match(lines.join('\n'), /not ready: waiting for objects/);
    server.answer = answerWell;
    await pass(MINUTE_MS, () => state.started);
    t.same([...held], HELD);
  });
}
