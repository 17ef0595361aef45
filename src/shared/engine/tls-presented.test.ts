import { createServer, type Socket } from 'node:net';
import { connect as tlsConnect, type DetailedPeerCertificate } from 'node:tls';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { issueLeaf, issueRoot } from '../pki/certificate.ts';
import { exportPrivateKey, exportPublicKey, generateKey, softwareProvider } from '../pki/crypto-provider.ts';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';
import { createTestEngine } from '../testing/engine.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { createTestCa } from '../testing/test-ca.ts';
import type { TlsMaterial } from './engine.ts';

const engine = createTestEngine({ clock: systemClock });
const ca = await createTestCa();
const ID = 'spiffe://cluster.local/ns/shop/sa/server';
const HOUR_MS = 3_600_000;
/** RFC 8446 §4.2, RFC 8879 §7.1 */
const Extension = { supportedGroups: 10, certificateCompression: 27 } as const;

/** Extension types of a ClientHello in one record (RFC 8446 §4.1.2). */
function extensionsOf(record: Buffer): readonly number[] {
  let at = 5 + 4 + 2 + 32;
  at += 1 + record.readUInt8(at);
  at += 2 + record.readUInt16BE(at);
  at += 1 + record.readUInt8(at);
  const end = at + 2 + record.readUInt16BE(at);
  const types: number[] = [];
  for (at += 2; at < end; at += 4 + record.readUInt16BE(at + 2)) types.push(record.readUInt16BE(at));
  return types;
}

test('a client asks for no compressed certificate', async t => {
  const hello = Promise.withResolvers<Buffer>();
  let parts = Buffer.alloc(0);
  const server = createServer((socket: Socket) => {
    socket.on('data', (bytes: Buffer) => {
      parts = Buffer.concat([parts, bytes]);
      if (parts.length < 5 || parts.length < 5 + parts.readUInt16BE(3)) return;
      hello.resolve(parts);
      socket.destroy();
    });
    socket.on('error', hello.reject);
  });
  const port = await new Promise<number>(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(address === null || typeof address === 'string' ? 0 : address.port);
    });
  });
  const tcp = await engine.connect({ remote: { ip: '127.0.0.1', port }, timeoutMs: 5_000 });
  const context = engine.createTlsContext(await ca.issue(ID));
  const tls = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true };
  await t.rejects(engine.secureClient(tcp, context, tls), { code: 'tls_handshake' });
  const types = extensionsOf(await hello.promise);
  t.ok(types.includes(Extension.supportedGroups));
  t.notOk(types.includes(Extension.certificateCompression));
  await new Promise(resolve => server.close(resolve));
});

/** Subjects of the certificates that a server shows, to a client that trusts none of them and so cannot add any. */
async function shownBy(material: TlsMaterial): Promise<readonly string[]> {
  const context = engine.createTlsContext(material);
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
    const tls = { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: false };
    void engine.secureServer(channel, context, tls).then(secure => {
      new ChannelRecorder(secure);
      secure.end();
    });
  });
  const shown = await new Promise<readonly string[]>((resolve, reject) => {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port: listener.address.port,
      ca: [],
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
    });
    let subjects: string[] = [];
    socket.on('secureConnect', () => (subjects = subjectsOf(socket.getPeerCertificate(true))));
    socket.on('error', reject);
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(subjects));
    socket.resume();
  });
  await listener.close();
  return shown;
}

function subjectsOf(leaf: DetailedPeerCertificate): string[] {
  const subjects: string[] = [];
  const seen = new Set<string>();
  for (let at: DetailedPeerCertificate | undefined = leaf; at !== undefined; at = at.issuerCertificate) {
    if (seen.has(at.fingerprint256)) break;
    seen.add(at.fingerprint256);
    subjects.push(String(at.subject?.CN ?? ''));
  }
  return subjects;
}

/** A leaf that a root has signed without an intermediate. */
async function signedByRoot(): Promise<TlsMaterial> {
  const root = { subject: 'CN=the root', key: await generateKey(softwareProvider, false) };
  const validity = { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS };
  const trustBundlePem = await issueRoot(root, validity);
  const key = await generateKey(softwareProvider, true);
  const certChainPem = await issueLeaf(root, parseSpiffeId(ID), await exportPublicKey(key), validity);
  return { certChainPem, privateKeyPem: await exportPrivateKey(key), trustBundlePem };
}

test('the chain is shown as it was issued, without its root', async t => {
  t.same(await shownBy(await ca.issue(ID)), ['', 'test intermediate'], 'leaf and intermediate');
  const alone = await shownBy(await signedByRoot());
  // The runtime's own contexts look for the issuer among the roots, and show it.
  t.same(alone, engine.name === 'native' ? [''] : ['', 'the root'], 'a leaf alone');
});
