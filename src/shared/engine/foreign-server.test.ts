import { createServer, type TLSSocket, type TlsOptions as ServerOptions } from 'node:tls';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { createTestEngine } from '../testing/engine.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import { createTestCa } from '../testing/test-ca.ts';
import type { ForeignServer, ForeignTlsMaterial, SecureChannel } from './engine.ts';

/** Against servers of `node:tls`: programs that know nothing of a mesh. */

const ID = 'spiffe://elsewhere/ns/a/sa/b';
const engine = createTestEngine({ clock: systemClock });
const ca = await createTestCa('public');
const leaf = await ca.issue(ID, { serverNames: ['api.example', '*.wild.example', '127.0.0.1'] });
const TRUSTING: ForeignTlsMaterial = {
  trustedRootsPem: ca.rootPem,
  revocationListsPem: '',
  client: undefined,
};

interface Seen {
  serverName: string | false | null | undefined;
  version: string | null;
  client: string | undefined;
}

interface Dialled {
  readonly channel: SecureChannel;
  readonly seen: Seen;
  /** Ends the connection once the server has. @returns what it said */
  readonly end: () => Promise<string>;
}

interface Dial {
  readonly material?: Partial<ForeignTlsMaterial>;
  readonly server?: Partial<ForeignServer>;
  readonly options?: ServerOptions;
  readonly alpn?: readonly string[];
  readonly verifyPeer?: boolean;
}

/** One connection. Rejects as `secureClient` does, with the server gone either way. */
async function dial({
  alpn = ['h2', 'http/1.1'],
  material,
  options,
  server,
  verifyPeer = true,
}: Dial): Promise<Dialled> {
  const seen: Seen = { serverName: undefined, version: null, client: undefined };
  const greeted = Promise.withResolvers<void>();
  const onSocket = (socket: TLSSocket): void => {
    // The server's side of a client that goes away without more.
    socket.on('error', () => {});
    seen.serverName = socket.servername;
    seen.version = socket.getProtocol();
    seen.client = socket.getPeerX509Certificate()?.subjectAltName;
    socket.end('hello');
    socket.resume();
    greeted.resolve();
  };
  const listener = createServer({ cert: leaf.certChainPem, key: leaf.privateKeyPem, ...options }, onSocket);
  listener.on('tlsClientError', () => {});
  const port = await new Promise<number>(resolve => {
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  const close = (): Promise<void> => new Promise(resolve => listener.close(() => resolve()));
  try {
    const context = engine.createForeignTlsContext({ ...TRUSTING, ...material });
    const tcp = await engine.connect({ remote: { ip: '127.0.0.1', port }, timeoutMs: 5_000 });
    const channel = await engine.secureClient(tcp, context, {
      alpn,
      timeoutMs: 5_000,
      verifyPeer,
      server: { serverName: 'api.example', names: ['api.example'], ...server },
    });
    const end = async (): Promise<string> => {
      const recorder = new ChannelRecorder(channel);
      await recorder.until(() => recorder.ended || recorder.closed);
      channel.end();
      await recorder.close();
      await close();
      return recorder.text;
    };
    await greeted.promise;
    return { channel, seen, end };
  } catch (error) {
    await close();
    throw error;
  }
}

test('a server outside the mesh is asked for by name, and known by the names in its certificate', async t => {
  const { channel, end, seen } = await dial({ options: { ALPNProtocols: ['h2', 'http/1.1'] } });
  t.equal(seen.serverName, 'api.example');
  t.equal(seen.version, 'TLSv1.3');
  t.equal(seen.client, undefined, 'it is shown no certificate');
  t.equal(channel.alpn, 'h2');
  t.ok(channel.peerNotAfter > Date.now());
  t.equal(await end(), 'hello');
});

const ACCEPTED: readonly (readonly [string, Dial, (dialled: Dialled) => readonly [unknown, unknown]])[] = [
  [
    'TLS 1.2 is spoken where a server knows no other',
    { options: { maxVersion: 'TLSv1.2' } },
    ({ seen }) => [seen.version, 'TLSv1.2'],
  ],
  [
    'a server that chooses no protocol is taken, and nothing is said to be chosen',
    {},
    ({ channel }) => [channel.alpn, ''],
  ],
  [
    'of what is offered the server chooses',
    { options: { ALPNProtocols: ['http/1.1'] } },
    ({ channel }) => [channel.alpn, 'http/1.1'],
  ],
  [
    'no name is sent where there is none',
    { server: { serverName: undefined } },
    ({ seen }) => [seen.serverName, false],
  ],
  [
    'a wildcard of the certificate stands for one label',
    { server: { names: ['a.wild.example'] } },
    () => [1, 1],
  ],
  ['an address is looked for among addresses', { server: { names: ['127.0.0.1'] } }, () => [1, 1]],
  ['a URI is looked for among URIs', { server: { names: [ID] } }, () => [1, 1]],
  ['one of several names is enough', { server: { names: ['other.example', 'api.example'] } }, () => [1, 1]],
  ['without names any certificate of the authorities will do', { server: { names: [] } }, () => [1, 1]],
  [
    'who verifies nothing takes any certificate',
    { verifyPeer: false, material: { trustedRootsPem: undefined }, server: { names: ['other.example'] } },
    () => [1, 1],
  ],
];

test('accepted', async t => {
  for (const [name, options, compare] of ACCEPTED) {
    const dialled = await dial(options);
    const [actual, expected] = compare(dialled);
    t.equal(actual, expected, name);
    await dialled.end();
  }
});

const REFUSED: readonly (readonly [string, () => Promise<Dial> | Dial, RegExp])[] = [
  [
    'another name than the one expected',
    () => ({ server: { names: ['other.example'] } }),
    /certificate is for .*api\.example.*; expected other\.example/,
  ],
  [
    'a wildcard for two labels',
    () => ({ server: { names: ['a.b.wild.example'] } }),
    /expected a\.b\.wild\.example/,
  ],
  [
    'an address that is not in the certificate',
    () => ({ server: { names: ['127.0.0.2'] } }),
    /expected 127\.0\.0\.2/,
  ],
  [
    'a URI that is a prefix of the one in the certificate',
    () => ({ server: { names: ['spiffe://elsewhere/ns/a'] } }),
    /expected spiffe/,
  ],
  [
    'a server of another authority',
    async () => ({ material: { trustedRootsPem: (await createTestCa('other')).rootPem } }),
    /not trusted|issuer/,
  ],
  [
    'a server of nobody the machine trusts',
    () => ({ material: { trustedRootsPem: undefined } }),
    /not trusted|issuer/,
  ],
  [
    'a certificate that has expired',
    async () => {
      const expired = await ca.issueExpired(ID);
      return { options: { cert: expired.certChainPem, key: expired.privateKeyPem } };
    },
    /expired/i,
  ],
  [
    'a certificate that was revoked',
    async () => ({ material: { revocationListsPem: await ca.revocationLists([leaf]) } }),
    /revoked/i,
  ],
  [
    'TLS 1.1',
    () => ({ options: { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } }),
    /protocol/i,
  ],
  ['none of the protocols that are offered', () => ({ options: { ALPNProtocols: ['acme'] } }), /./],
];

test('refused, with the reason', async t => {
  for (const [name, make, says] of REFUSED)
    await t.rejects(dial(await make()), { code: 'tls_handshake', message: says }, name);
});

test('a certificate that is on no list passes', async t => {
  const other = await ca.issue(ID);
  const { end } = await dial({ material: { revocationListsPem: await ca.revocationLists([other]) } });
  t.pass();
  await end();
});

test('a client certificate is shown to a server that asks for one', async t => {
  const { certChainPem, privateKeyPem } = await ca.issue('spiffe://elsewhere/ns/a/sa/client');
  const asking = { requestCert: true, rejectUnauthorized: true, ca: ca.rootPem };
  const shown = await dial({ material: { client: { certChainPem, privateKeyPem } }, options: asking });
  t.equal(shown.seen.client, 'URI:spiffe://elsewhere/ns/a/sa/client');
  await shown.end();
});

test('material that cannot work is refused when it is loaded', t => {
  const rows = [
    [{ trustedRootsPem: 'none' }, /nobody could be verified/],
    [{ revocationListsPem: 'none' }, /no revocation list in what is given/],
    [
      { revocationListsPem: '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----' },
      /revocation list|CRL|asn1/i,
    ],
    [{ client: { certChainPem: leaf.certChainPem, privateKeyPem: 'x' } }, /private key does not parse/],
  ] as const;
  for (const [material, says] of rows)
    t.throws(() => engine.createForeignTlsContext({ ...TRUSTING, ...material }), { message: says });
  t.end();
});
