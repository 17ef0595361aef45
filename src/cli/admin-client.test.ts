import { createServer } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'tap';
import { fetchText, type PodTarget, streamLines } from './admin-client.ts';

/** A pod's admin server behind a connection that is no socket, as a port-forward is. */
function pod(connect: () => Promise<Duplex>): PodTarget {
  return { namespace: 'mesh', pod: 'ztunnel-x', port: 15_000, connect };
}

const server = createServer((req, res) => {
  if (req.url === '/lines') {
    res.write('one\ntwo\n');
    res.end('three');
  } else if (req.url === '/wrong') {
    res.statusCode = 400;
    res.end('duration "1" is not accepted; use 1s to 1h\n');
  } else if (req.url === '/broken') {
    res.statusCode = 500;
    res.end('oh\n');
  } else if (req.url !== '/silent') res.end(`${req.method} ${req.url} of ${req.headers.host}`);
});

const forwarded = pod(() => {
  const [ours, theirs] = duplexPair();
  server.emit('connection', theirs);
  return Promise.resolve(ours);
});

test('a request goes over the connection of the port-forward, and over no other', async t => {
  t.equal(await fetchText(forwarded, '/config_dump'), 'GET /config_dump of localhost:15000');
  t.equal(
    await fetchText(forwarded, '/logging?level=debug', 'POST'),
    'POST /logging?level=debug of localhost:15000',
  );
});

test('lines come over it too', async t => {
  const lines: string[] = [];
  await streamLines(forwarded, '/lines', line => lines.push(line), new AbortController().signal);
  t.same(lines, ['one', 'two', 'three']);
});

test('what was asked wrongly gets the words of the server alone; a fault of the server names it', async t => {
  const { signal } = new AbortController();
  const words = { message: 'duration "1" is not accepted; use 1s to 1h' };
  await t.rejects(fetchText(forwarded, '/wrong'), words);
  await t.rejects(
    streamLines(forwarded, '/wrong', () => undefined, signal),
    words,
  );
  await t.rejects(fetchText(forwarded, '/broken'), {
    message: 'mesh/ztunnel-x:15000/broken answered 500: oh',
  });
});

test('who asks for something that takes long says for how long it waits', async t => {
  await t.rejects(fetchText(forwarded, '/silent', 'POST', 20), { message: /no answer within 0.02 s/ });
});

test('a pod that cannot be reached is named, with the way to look at it', async t => {
  const refused = pod(() =>
    Promise.reject(new Error('port-forward to mesh/ztunnel-x: not open within 10 s')),
  );
  await t.rejects(fetchText(refused, '/'), {
    name: 'CliError',
    message:
      /cannot reach mesh\/ztunnel-x:15000: .*not open within 10 s; .*kubectl -n mesh get pod ztunnel-x/,
  });
  const cut = pod(() => {
    const [ours, theirs] = duplexPair();
    theirs.destroy();
    return Promise.resolve(ours);
  });
  await t.rejects(fetchText(cut, '/'), { name: 'CliError', message: /cannot reach mesh\/ztunnel-x:15000/ });
});
