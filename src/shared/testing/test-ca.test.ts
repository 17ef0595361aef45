import { X509Certificate } from 'node:crypto';
import { connect, createServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import { test } from 'tap';
import type { TlsMaterial } from '../engine/engine.ts';
import { createTestCa } from './test-ca.ts';

const CLIENT = 'spiffe://cluster.local/ns/a/sa/client';
const SERVER = 'spiffe://cluster.local/ns/b/sa/server';

interface Handshake {
  readonly serverSaw?: string;
  readonly clientSaw?: string;
  readonly error?: string;
}

/** One mutual TLS 1.3 handshake over loopback between two sets of material. */
function handshake(server: TlsMaterial, client: TlsMaterial): Promise<Handshake> {
  const { promise, resolve } = Promise.withResolvers<Handshake>();
  const listener = createServer({
    cert: server.certChainPem,
    key: server.privateKeyPem,
    ca: server.trustBundlePem,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: true,
  });
  const sockets: TLSSocket[] = [];
  let finished = false;
  const finish = (result: Handshake): void => {
    if (finished) return;
    finished = true;
    for (const socket of sockets) socket.destroy();
    listener.close(() => resolve(result));
  };
  // The client’s verdict is the precise one: a Node server reports any refusal of a client as a hang-up.
  listener.on('tlsClientError', () => undefined);
  listener.listen(0, '127.0.0.1', () => {
    const address = listener.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const socket = connect({
      host: '127.0.0.1',
      port,
      cert: client.certChainPem,
      key: client.privateKeyPem,
      ca: client.trustBundlePem,
      checkServerIdentity: () => undefined,
    });
    sockets.push(socket);
    socket.on('error', error => finish({ error: error.message }));
    listener.on('secureConnection', peer => {
      sockets.push(peer);
      peer.on('error', () => undefined);
      finish({ serverSaw: san(peer.getPeerCertificate()), clientSaw: san(socket.getPeerCertificate()) });
    });
  });
  return promise;
}

function san(certificate: PeerCertificate): string {
  return certificate.subjectaltname ?? '';
}

test('material of one CA completes a mutual handshake and each side sees the other’s id', async t => {
  const ca = await createTestCa();
  const seen = await handshake(await ca.issue(SERVER), await ca.issue(CLIENT));
  t.strictSame(seen, { serverSaw: `URI:${CLIENT}`, clientSaw: `URI:${SERVER}` });
});

test('an expired certificate is refused', async t => {
  const ca = await createTestCa();
  t.match(await handshake(await ca.issueExpired(SERVER), await ca.issue(CLIENT)), { error: /expired/ });
});

test('a certificate that is not yet valid is refused', async t => {
  const ca = await createTestCa();
  t.match(await handshake(await ca.issueNotYetValid(SERVER), await ca.issue(CLIENT)), {
    error: /not yet valid/,
  });
});

test('a certificate of another root is refused', async t => {
  const ca = await createTestCa();
  const client = await ca.issueTrustingOther(CLIENT, await createTestCa('other'));
  t.match(await handshake(await ca.issue(SERVER), client), { error: /unable to get|unable to verify/ });
});

test('a leaf is an X.509-SVID: one URI SAN, critical, empty subject, not a CA, both key usages', async t => {
  const ca = await createTestCa();
  const leaf = new X509Certificate((await ca.issue(SERVER)).certChainPem);
  t.equal(leaf.subjectAltName, `URI:${SERVER}`);
  t.equal(leaf.subject, undefined);
  t.equal(leaf.ca, false);
  t.strictSame(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  t.equal(leaf.serialNumber.length, 32);
  t.ok(leaf.verify(new X509Certificate(ca.intermediatePem).publicKey));
});
