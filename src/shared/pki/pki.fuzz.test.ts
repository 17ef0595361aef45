import { deepStrictEqual, ok } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'tap';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';
import { createTestCa } from '../testing/test-ca.ts';
import { readCertificateAnswer } from './cert-chain.ts';
import { createCsr, verifyCsr } from './csr.ts';
import { generateKey, softwareProvider } from './crypto-provider.ts';
import { CHAIN_LIMITS, CSR_LIMITS, decodePem, decodeSinglePem, encodePem } from './pem.ts';
import { PkiError } from './pki-error.ts';

const PROPERTIES = 4;
const seconds = Number(process.env['FUZZ_SECONDS'] ?? 1);
const options = { interruptAfterTimeLimit: (seconds * 1000) / PROPERTIES, numRuns: 1_000_000 };
const ID = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');

/** Fails on any error but ours: a parser of untrusted bytes has one way to say no. */
async function onlyPkiError(run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
  }
}

/** `bytes` with some of them replaced, a part cut out or doubled. */
function mutated(bytes: Buffer): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    at: fc.nat(bytes.length - 1),
    drop: fc.nat(8),
    insert: fc.uint8Array({ maxLength: 8 }),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map(edits => {
    let result = bytes;
    for (const { at, drop, insert } of edits) {
      result = Buffer.concat([result.subarray(0, at), insert, result.subarray(at + drop)]);
    }
    return result;
  });
}

test('splitting any text either gives blocks that encode back to themselves or a PkiError', async t => {
  const piece = fc.oneof(
    fc.constantFrom('-----BEGIN ', '-----END ', '-----', 'CERTIFICATE', '\n', 'TUlJ', '=', ' '),
    fc.string(),
    fc.uint8Array({ minLength: 1 }).map(bytes => encodePem('CERTIFICATE', bytes)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece).map(pieces => pieces.join('')),
      text =>
        onlyPkiError(() => {
          const blocks = decodePem(text, CHAIN_LIMITS);
          const again = decodePem(blocks.map(b => encodePem(b.label, b.der)).join(''), CHAIN_LIMITS);
          deepStrictEqual(again, blocks);
        }),
    ),
    options,
  );
  t.pass();
});

test('what we split as one certificate, Node’s own PEM reader reads the same', async t => {
  const ca = await createTestCa();
  const node = new X509Certificate(ca.rootPem);
  const noise = fc.string().filter(text => !text.includes('-----'));
  fc.assert(
    fc.property(noise, fc.constantFrom('\n', '\r\n'), (before, lineEnd) => {
      const text = `${before}\n${ca.rootPem.replaceAll('\n', lineEnd)}`;
      const [block] = decodePem(text, CHAIN_LIMITS);
      ok(block?.der.equals(new X509Certificate(text).raw) && block.der.equals(node.raw));
    }),
    options,
  );
  t.pass();
});

test('a damaged CSR never passes for another request and gives nothing but PkiError', async t => {
  const csr = await createCsr(await generateKey(softwareProvider, false), ID);
  const { der } = decodeSinglePem(csr, ['CERTIFICATE REQUEST'], CSR_LIMITS);
  const { publicKeySpki } = await verifyCsr(softwareProvider, csr, ID);
  await fc.assert(
    fc.asyncProperty(mutated(der), bytes =>
      onlyPkiError(async () => {
        const pem = encodePem('CERTIFICATE REQUEST', bytes);
        const verified = await verifyCsr(softwareProvider, pem, ID);
        ok(verified.publicKeySpki.equals(publicKeySpki), 'only an encoding of the same request passes');
      }),
    ),
    options,
  );
  t.pass();
});

test('a damaged CA answer gives nothing but PkiError', async t => {
  const ca = await createTestCa();
  const issued = await ca.issue(ID);
  const bytes = Buffer.from(issued.certChainPem);
  await fc.assert(
    fc.asyncProperty(mutated(bytes), damaged =>
      onlyPkiError(() => readCertificateAnswer([damaged.toString('latin1'), ca.rootPem])),
    ),
    options,
  );
  t.pass();
});
