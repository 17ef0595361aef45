import { createServer } from 'node:net';
import { test } from 'tap';
import { listenOnPodAddress, podArguments } from './pod-listen.ts';

const POD = '127.100.1.2';

test('where a pod listens', t => {
  const done = (): void => undefined;
  const rows: [sentence: string, given: unknown[], wanted: unknown[]][] = [
    ['every IPv6 address', [8080, '::', done], [8080, POD, done]],
    ['every IPv4 address', [8080, '0.0.0.0'], [8080, POD]],
    ['no address', [8080], [8080, POD]],
    ['no address, a callback', [8080, done], [8080, POD, done]],
    ['no address, a backlog', [8080, 100, done], [8080, POD, 100, done]],
    ['its own loopback', [8080, 'localhost', 100], [8080, POD, 100]],
    ['another address', [8080, '10.0.0.1'], [8080, '10.0.0.1']],
    ['a unix socket', ['/run/app.sock', done], ['/run/app.sock', done]],
    ['a unix socket, as options', [{ path: '/run/app.sock' }], [{ path: '/run/app.sock' }]],
    ['a descriptor', [{ fd: 3 }], [{ fd: 3 }]],
    ['options', [{ port: 8080, host: '::' }, done], [{ port: 8080, host: POD, ipv6Only: false }, done]],
  ];
  for (const [sentence, given, wanted] of rows) t.same(podArguments(given, POD), wanted, sentence);
  t.end();
});

test('servers of a process that is a pod', async t => {
  const undo = listenOnPodAddress('127.99.88.77');
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '::', resolve));
  undo();
  t.match(server.address(), { address: '127.99.88.77' });
  await new Promise<void>(resolve => server.close(() => resolve()));
});
