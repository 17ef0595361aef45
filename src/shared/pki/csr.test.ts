import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'tap';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';
import { createCsr, verifyCsr } from './csr.ts';
import { exportPublicKey, generateKey, importPrivateKey, softwareProvider } from './crypto-provider.ts';
import { decodeSinglePem, CSR_LIMITS, encodePem } from './pem.ts';
import {
  BasicConstraintsExtension,
  type Extension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from './x509.ts';

const ID = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');
const OTHER = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/payments');

function pkcs8(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function csrWith(extensions: Extension[]): Promise<string> {
  const key = await generateKey(softwareProvider, false);
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      keys: { publicKey: key.publicKey, privateKey: key.privateKey },
      signingAlgorithm: key.algorithm,
      extensions,
    },
    softwareProvider.crypto,
  );
  return encodePem('CERTIFICATE REQUEST', new Uint8Array(request.rawData));
}

function san(...uris: string[]): Extension {
  return new SubjectAlternativeNameExtension(uris.map(value => ({ type: 'url' as const, value })));
}

test('a CSR of ours is accepted and yields its key', async t => {
  const key = await generateKey(softwareProvider, false);
  const verified = await verifyCsr(softwareProvider, await createCsr(key, ID), ID);
  t.ok(verified.publicKeySpki.equals(await exportPublicKey(key)));
});

test('keys a user may bring are accepted: RSA 2048 and P-384, PKCS#1 and SEC 1 included', async t => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const ec = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey;
  for (const pem of [
    pkcs8(rsa),
    rsa.export({ type: 'pkcs1', format: 'pem' }).toString(),
    ec.export({ type: 'sec1', format: 'pem' }).toString(),
  ]) {
    const key = await importPrivateKey(softwareProvider, pem);
    const verified = await verifyCsr(softwareProvider, await createCsr(key, ID), ID);
    t.equal(verified.publicKeySpki.length > 90, true);
  }
});

/** SEQUENCE in SEQUENCE, `depth` times, each of the right length. */
function nested(depth: number): Buffer {
  const headers: Buffer[] = [];
  for (let inner = 0, at = 0; at < depth; at++) {
    const header = inner < 0x80 ? Buffer.of(0x30, inner) : Buffer.of(0x30, 0x82, inner >> 8, inner & 0xff);
    headers.unshift(header);
    inner += header.length;
  }
  return Buffer.concat(headers);
}

const refused: readonly (readonly [sentence: string, csr: () => Promise<string>, expected: object])[] = [
  ['a CSR for another identity is refused', async () => csrWith([san(OTHER)]), { code: 'wrong_identity' }],
  ['a CSR without SAN is refused', async () => csrWith([]), { code: 'wrong_identity', message: /0 name/ }],
  ['a CSR with a second URI is refused', async () => csrWith([san(ID, OTHER)]), { code: 'wrong_identity' }],
  [
    'a second SAN extension does not hide',
    async () => csrWith([san(ID), san(OTHER)]),
    { code: 'wrong_identity' },
  ],
  [
    'a CSR with a DNS name is refused',
    async () => csrWith([new SubjectAlternativeNameExtension([{ type: 'dns', value: ID }])]),
    { code: 'wrong_identity' },
  ],
  [
    'a CSR that asks to be a CA is refused',
    async () => csrWith([san(ID), new BasicConstraintsExtension(true)]),
    { code: 'bad_csr', message: /CA certificate/ },
  ],
  ['a CSR signed with SHA-1 is refused', async () => rsaCsr(2048, 'SHA-1'), { code: 'bad_csr' }],
  [
    'a CSR whose signature does not match is refused',
    async () => {
      const { der } = decodeSinglePem(await csrWith([san(ID)]), ['CERTIFICATE REQUEST'], CSR_LIMITS);
      der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
      return encodePem('CERTIFICATE REQUEST', der);
    },
    { code: 'bad_csr', message: /signature/ },
  ],
  [
    'RSA of 1024 bits is refused',
    async () => rsaCsr(1024, 'SHA-256'),
    { code: 'weak_key', message: /1024 bits/ },
  ],
  ['an empty text is refused', async () => '', { code: 'bad_pem' }],
  [
    'a certificate instead of a CSR is refused',
    async () => encodePem('CERTIFICATE', Buffer.of(1)),
    { code: 'bad_pem' },
  ],
  [
    'bytes that are no CSR are refused',
    async () => encodePem('CERTIFICATE REQUEST', Buffer.of(48, 0)),
    { code: 'bad_csr' },
  ],
  [
    'deep nesting is refused',
    async () => encodePem('CERTIFICATE REQUEST', nested(2500)),
    { code: 'bad_csr' },
  ],
  [
    'an oversized text is refused before it is decoded',
    async () => 'x'.repeat(20_000),
    { code: 'bad_pem', message: /20000/ },
  ],
  ['two CSRs in one text are refused', async () => (await csrWith([san(ID)])).repeat(2), { code: 'bad_pem' }],
];

for (const [sentence, csr, expected] of refused) {
  test(sentence, async t => {
    await t.rejects(verifyCsr(softwareProvider, await csr(), ID), { name: 'PkiError', ...expected });
  });
}

/** `importPrivateKey` and `generateKey` make no such key, so this one goes round them. */
async function rsaCsr(modulusLength: number, hash: string): Promise<string> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash };
  const pair = generateKeyPairSync('rsa', { modulusLength });
  const { subtle } = softwareProvider.crypto;
  const pkcs8Der = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  const spkiDer = pair.publicKey.export({ type: 'spki', format: 'der' });
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      keys: {
        privateKey: await subtle.importKey('pkcs8', pkcs8Der, algorithm, true, ['sign']),
        publicKey: await subtle.importKey('spki', spkiDer, algorithm, true, ['verify']),
      },
      signingAlgorithm: algorithm,
      extensions: [san(ID)],
    },
    softwareProvider.crypto,
  );
  return encodePem('CERTIFICATE REQUEST', new Uint8Array(request.rawData));
}

test('a key whose curve cannot be decoded is a bad CSR, like anything else that cannot', async t => {
  const csr = await createCsr(await generateKey(softwareProvider, false), ID);
  const { der } = decodeSinglePem(csr, ['CERTIFICATE REQUEST'], CSR_LIMITS);
  const prime256v1 = der.indexOf(Buffer.from('06082a8648ce3d030107', 'hex'));
  // Neither a name of a curve nor one in full, by its tag.
  der[prime256v1] = 0x80;
  await t.rejects(verifyCsr(softwareProvider, encodePem('CERTIFICATE REQUEST', der), ID), {
    code: 'bad_csr',
  });
});
