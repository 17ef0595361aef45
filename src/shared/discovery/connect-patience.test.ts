import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { rootCertificates } from 'node:tls';
import { test } from 'tap';
import { createCertificateClient } from './certificate-client.ts';
import { ConnectPatience } from './connect-patience.ts';
import { createDeltaTransport } from './controller-channel.ts';

test('patience grows with each failure and is short again after a success', t => {
  const patience = new ConnectPatience({ firstMs: 3_000, maxMs: 20_000 });
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) {
    seen.push(patience.ms);
    patience.failed();
  }
  t.same(seen, [3_000, 6_000, 12_000, 20_000, 20_000]);
  patience.succeeded();
  t.equal(patience.ms, 3_000);
  t.end();
});

test('a controller that says nothing is given up soon, for streams and certificates', async t => {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => undefined));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const endpoint = {
    address: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    trustBundle: () => rootCertificates[0] ?? '',
    token: () => undefined,
    clusterId: 'Kubernetes',
  };
  const patience = new ConnectPatience({ firstMs: 50, maxMs: 100 });
  const transport = createDeltaTransport(endpoint, patience);
  const end = (): Promise<string> =>
    new Promise(resolve => void transport.open({ onResponse: () => undefined, onEnd: resolve }));
  t.equal(await end(), 'not connected within 50 ms');
  t.equal(await end(), 'not connected within 100 ms');
  const client = createCertificateClient(endpoint, 10_000, new ConnectPatience({ firstMs: 50, maxMs: 50 }));
  await t.rejects(
    client.createCertificate({ csrPem: '', validitySeconds: 0, impersonatedIdentity: undefined }),
    /127\.0\.0\.1:\d+: not connected within 50 ms/,
  );
});
