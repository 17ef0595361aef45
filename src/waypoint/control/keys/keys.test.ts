import { generateKeyPairSync } from 'node:crypto';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { Server } from 'node:net';
import { test } from 'tap';
import type { TokenIssuer } from '#shared/route/token-issuer.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { delta, noRoutes, service } from '#shared/testing/topology.ts';
import type { KeysCommand } from '../../workers/messages.ts';
import { documentFetcher, type FetchDocument } from './fetch-document.ts';
import { dialable } from '../hosts/reachable-alone.ts';
import { fetchKeys } from './fetch-keys.ts';
import { KeyServer } from './key-server.ts';

const JWKS = JSON.stringify({
  keys: [generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), { kty: 'oct', k: 'x' }],
});

interface Test {
  teardown(end: () => unknown): void;
}

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise(resolve => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const REQUEST = { timeoutMs: 2_000, maxBytes: 1_000 };
const ANYWHERE = (): boolean => true;

test('no document is fetched from the waypoint itself, whatever the address is called', async t => {
  const reached: string[] = [];
  const server = createHttpServer((req, res) => {
    reached.push(req.url ?? '');
    res.end('{}');
  });
  const port = await listen(t, server);
  const fetch = documentFetcher(undefined, dialable(['10.0.0.5']));
  for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433'])
    await t.rejects(
      fetch({ ...REQUEST, url: new URL(`http://${host}:${port}/config_dump`) }),
      /may.* be dialled/,
      host,
    );
  t.same(reached, []);
});

test('a document is fetched over HTTP/1.1, and over HTTP/2 by TLS with roots of our own', async t => {
  const plain = createHttpServer((req, res) =>
    res.end(`${req.httpVersion} ${req.url} ${req.headers.accept}`),
  );
  const port = await listen(t, plain);
  t.equal(
    await documentFetcher(undefined, ANYWHERE)({ ...REQUEST, url: new URL(`http://127.0.0.1:${port}/a?b`) }),
    '1.1 /a?b application/json',
  );
  plain.closeAllConnections();
  const ca = await createTestCa();
  const material = await ca.issue('spiffe://cluster.local/ns/default/sa/keys', {
    serverNames: ['127.0.0.1'],
  });
  const secure = createSecureServer(
    { cert: material.certChainPem, key: material.privateKeyPem },
    (req, res) => {
      res.end(`${req.httpVersion} ${req.url}`);
    },
  );
  const securePort = await listen(t, secure);
  const url = new URL(`https://127.0.0.1:${securePort}/keys`);
  t.equal(await documentFetcher(() => ca.rootPem, ANYWHERE)({ ...REQUEST, url }), '2.0 /keys');
  await t.rejects(
    documentFetcher(undefined, ANYWHERE)({ ...REQUEST, url }),
    /127\.0\.0\.1.*(self.signed|unable)/i,
  );
});

test('what is no document is refused with a reason', async t => {
  const answers: Readonly<Record<string, RequestListener>> = {
    '/missing': (_, res) => res.writeHead(404).end(),
    '/moved': (_, res) => res.writeHead(302, { location: 'http://elsewhere/' }).end(),
    '/long': (_, res) => res.end('x'.repeat(1_001)),
    '/broken': (_, res) => {
      res.writeHead(200, { 'content-length': 10 });
      res.write('x', () => res.destroy());
    },
    '/silent': () => {},
  };
  const server = createHttpServer((req, res) => answers[req.url ?? '']?.(req, res));
  const port = await listen(t, server);
  const fetch = documentFetcher(undefined, ANYWHERE);
  const rows: readonly (readonly [string, RegExp])[] = [
    ['/missing', /answered 404/],
    ['/moved', /answered 302/],
    ['/long', /more than 1000 bytes/],
    ['/broken', /aborted|reset|closed/],
    ['/silent', /no whole answer within 50 ms/],
  ];
  for (const [path, reason] of rows) {
    const timeoutMs = path === '/silent' ? 50 : 2_000;
    const url = new URL(`http://127.0.0.1:${port}${path}`);
    await t.rejects(fetch({ ...REQUEST, timeoutMs, url }), reason, path);
  }
  server.closeAllConnections();
});

test('keys by their address, by OpenID configuration, or not at all', async t => {
  const documents: Readonly<Record<string, string>> = {
    'https://a/keys': JWKS,
    'https://a/.well-known/openid-configuration': '{"jwks_uri":"https://a/keys"}',
    'https://b/.well-known/openid-configuration': '{}',
    'https://c/.well-known/openid-configuration': '{"jwks_uri":"file:///etc/passwd"}',
    'https://d/.well-known/openid-configuration': 'no JSON',
    'https://e/keys': '{"keys":[]}',
  };
  const fetch: FetchDocument = async ({ url }) => {
    const document = documents[url.href];
    if (document === undefined) throw new Error(`${url.href}: answered 404`);
    return document;
  };
  const from = (kind: 'jwks' | 'openid', url: string) =>
    fetchKeys({ name: url, kind, url, timeoutMs: 10 }, fetch);
  t.match(await from('jwks', 'https://a/keys'), { jwks: JWKS, skipped: [/keys\[1\] is of kty "oct"/] });
  t.match(await from('openid', 'https://a/.well-known/openid-configuration'), { jwks: JWKS });
  await t.rejects(from('openid', 'https://b/.well-known/openid-configuration'), /has no "jwks_uri"/);
  await t.rejects(
    from('openid', 'https://c/.well-known/openid-configuration'),
    /no URL of scheme https or http/,
  );
  await t.rejects(from('openid', 'https://d/.well-known/openid-configuration'), /is not JSON/);
  await t.rejects(from('jwks', 'https://e/keys'), /has no keys/);
  await t.rejects(from('jwks', 'ftp://a/'), /no URL of scheme/);
  await t.rejects(from('jwks', 'https://f/keys'), /404/);
});

const ECHO = service('echo');

function issuer(uri: string): TokenIssuer {
  return {
    name: 'default/tokens',
    issuer: 'https://issuer',
    audiences: [],
    keys: { kind: 'uri', uri },
    from: [],
    forwardOriginal: false,
    outputPayloadToHeader: undefined,
    outputClaimToHeaders: [],
    timeoutMs: 10,
    clockSkewMs: 0,
    requiredClaims: [],
    spaceDelimitedClaims: [],
    required: false,
  };
}

function keyServer(answers: (string | Error)[]) {
  const clock = new FakeClock();
  const fetched: string[] = [];
  const lines: string[] = [];
  const published: KeysCommand[] = [];
  const server = new KeyServer({
    clock,
    random: () => 1,
    logger: loggerInto(lines),
    fetch: async ({ url }) => {
      fetched.push(url.href);
      const answer = answers.shift() ?? new Error('nobody answers');
      if (answer instanceof Error) throw answer;
      return answer;
    },
    publish: command => published.push(command),
  });
  const name = (uris: string[]) => delta({ routes: [noRoutes(ECHO, { tokenIssuers: uris.map(issuer) })] });
  return { clock, fetched, lines, name, published, server };
}

/** Lets what was fetched arrive. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

test('keys are fetched when a service names them, every twenty minutes, and when a thread wants newer ones', async t => {
  const { clock, fetched, name, published, server } = keyServer([JWKS, JWKS, JWKS]);
  server.onDelta(name(['https://a/keys', 'https://a/keys']));
  await settled();
  t.same(fetched, ['https://a/keys'], 'once');
  t.match(published, [{ kind: 'keys', source: 'https://a/keys', jwks: JWKS }]);
  t.match(server.commands(), published);
  const source = { name: 'https://a/keys', kind: 'jwks', url: 'https://a/keys', timeoutMs: 10 } as const;
  server.wanted(source);
  t.equal(fetched.length, 1, 'asked just now');
  t.equal(published.length, 2, 'answered all the same');
  clock.advance(10_000);
  server.wanted(source);
  server.wanted(source);
  await settled();
  t.equal(fetched.length, 2);
  t.equal(published.length, 3);
  clock.advance(20 * 60_000);
  await settled();
  t.equal(fetched.length, 3);
  server.stop();
});

test('a fetch that fails is told and tried again, later and later; the last keys stay', async t => {
  const { clock, fetched, lines, name, published, server } = keyServer([
    new Error('down'),
    new Error('down'),
    JWKS,
  ]);
  server.onDelta(name(['https://a/keys']));
  await settled();
  t.match(lines, [/could not be fetched.*its tokens are refused.*down/]);
  t.same(server.commands(), []);
  clock.advance(1_200);
  await settled();
  t.equal(fetched.length, 2);
  clock.advance(1_200);
  t.equal(fetched.length, 2);
  clock.advance(1_200);
  await settled();
  t.equal(published.at(-1)?.jwks, JWKS);
  clock.advance(20 * 60_000);
  await settled();
  t.match(lines.at(-1), 'the last ones stay');
  t.equal(published.at(-1)?.jwks, JWKS);
  server.stop();
});

test('keys that no service names any more are forgotten, and what no service names is not fetched', async t => {
  const { clock, fetched, name, published, server } = keyServer([JWKS]);
  server.onDelta(name(['https://a/keys']));
  await settled();
  server.onDelta(name([]));
  t.same(server.commands(), []);
  clock.advance(60 * 60_000);
  await settled();
  t.equal(fetched.length, 1);
  server.wanted({ name: 'https://x/', kind: 'jwks', url: 'https://x/', timeoutMs: 10 });
  t.match(published.at(-1), { source: 'https://x/', jwks: undefined });
  server.stop();
});
