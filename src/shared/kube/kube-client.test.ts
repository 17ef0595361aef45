import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { issueLeaf, issueRoot } from '../pki/certificate.ts';
import { exportPrivateKey, exportPublicKey, generateKey, softwareProvider } from '../pki/crypto-provider.ts';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { KubeClient } from './kube-client.ts';

const validity = { notBeforeMs: Date.now() - 3_600_000, notAfterMs: Date.now() + 3_600_000 };

/** A real server with a certificate of its own authority, and a client whose files name both. */
async function setUp(t: Test, serve: (req: IncomingMessage, res: ServerResponse, body: string) => void) {
  const issuer = { subject: 'CN=test', key: await generateKey(softwareProvider, false) };
  const key = await generateKey(softwareProvider, true);
  const id = parseSpiffeId('spiffe://cluster.local/ns/kube-system/sa/api');
  const cert = await issueLeaf(issuer, id, await exportPublicKey(key), validity, ['127.0.0.1']);
  const directory = mkdtempSync(join(tmpdir(), 'kube-client-'));
  const [tokenFile, caFile] = [join(directory, 'token'), join(directory, 'ca.crt')];
  writeFileSync(caFile, await issueRoot(issuer, validity));
  writeFileSync(tokenFile, 'first\n');
  const server = createServer({ key: await exportPrivateKey(key), cert }, (req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => void chunks.push(chunk));
    req.on('end', () => serve(req, res, Buffer.concat(chunks).toString()));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const clock = new FakeClock();
  const client = new KubeClient({ host: '127.0.0.1', port, tokenFile, caFile }, clock, 'ztunnel/test');
  t.teardown(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise<void>(resolve => server.close(() => resolve()));
    rmSync(directory, { recursive: true });
  });
  return { client, clock, tokenFile, caFile };
}

test('a request carries the token of the moment and a merge patch', async t => {
  const seen: string[] = [];
  const { client, tokenFile } = await setUp(t, (req, res, body) => {
    const { authorization, 'content-type': type } = req.headers;
    seen.push(`${req.method} ${req.url} ${authorization} ${type ?? '-'} ${body}`);
    res.end('{"ok":true}');
  });
  t.same(await client.send({ method: 'GET', path: '/a?b=c' }), { ok: true });
  writeFileSync(tokenFile, 'second');
  await client.send({ method: 'PATCH', path: '/p', body: { x: 1 } });
  await client.send({ method: 'POST', path: '/q', body: { y: 'ü' } });
  t.same(seen, [
    'GET /a?b=c Bearer first - ',
    'PATCH /p Bearer second application/merge-patch+json {"x":1}',
    'POST /q Bearer second application/json {"y":"ü"}',
  ]);
});

test('a refusal says what was asked and what the server answered', async t => {
  const { client } = await setUp(t, (req, res) => {
    res.statusCode = req.url === '/proxy' ? 502 : 403;
    res.end(req.url === '/proxy' ? 'bad gateway' : '{"kind":"Status","message":"pods is forbidden"}');
  });
  await t.rejects(client.send({ method: 'GET', path: '/x' }), {
    status: 403,
    message: 'GET /x: 403 pods is forbidden',
  });
  await t.rejects(client.send({ method: 'GET', path: '/proxy' }), { message: /502 bad gateway/ });
  await t.rejects(
    client.watch('/x', () => undefined, new AbortController().signal),
    { message: /403 pods is forbidden/ },
  );
});

test('a watch hands over lines, and ends with the server, the caller, or silence', async t => {
  const { client, clock } = await setUp(t, (req, res) => {
    res.write('{"a":1}\n{"b"');
    if (req.url === '/ends') res.end(':2}\n');
  });
  const lines: string[] = [];
  const signal = new AbortController().signal;
  await client.watch('/ends', line => void lines.push(line), signal);
  t.same(lines, ['{"a":1}', '{"b":2}']);

  const caller = new AbortController();
  const stopped = client.watch('/open', () => caller.abort(new Error('enough')), caller.signal);
  await t.rejects(stopped, { message: 'enough' });

  const silent = client.watch('/open', () => clock.advance(150_000), signal);
  await t.rejects(silent, { message: /said nothing for 150000 ms: watch \/open/ });

  const failing = client.watch(
    '/open',
    () => {
      throw new Error('not an event');
    },
    signal,
  );
  await t.rejects(failing, { message: 'not an event' });
  t.equal(clock.pendingTimers, 0, 'no deadline is left behind');
});

test('what is missing is named', async t => {
  const { client, caFile, tokenFile } = await setUp(t, (_req, res) => void res.end('{}'));
  rmSync(tokenFile);
  await t.rejects(client.send({ method: 'GET', path: '/x' }), { message: /cannot read .*token.*mounted/ });
  writeFileSync(tokenFile, 'x');
  writeFileSync(caFile, '\n');
  await t.rejects(client.send({ method: 'GET', path: '/x' }), { message: /ca\.crt is empty/ });
});

test('a server that does not answer is given up, and one of another authority is not talked to', async t => {
  const { client, clock } = await setUp(t, () => clock.advance(15_000));
  await t.rejects(client.send({ method: 'GET', path: '/x' }), {
    message: /said nothing for 15000 ms: GET \/x/,
  });
  const other = await setUp(t, (_req, res) => void res.end('{}'));
  writeFileSync(
    other.caFile,
    await issueRoot({ subject: 'CN=other', key: await generateKey(softwareProvider, false) }, validity),
  );
  await t.rejects(other.client.send({ method: 'GET', path: '/x' }), {
    message: /cannot reach the API server/,
  });
});
