import { test } from 'tap';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';
import { decodeSnapshot, encodeSnapshot } from './certificate-snapshot.ts';

const ENTRY = {
  identity: parseSpiffeId('spiffe://cluster.local/ns/shop/sa/a'),
  certChainPem: 'c',
  privateKeyPem: 'k',
};

test('a snapshot comes back as it was written', t => {
  const snapshot = { trustBundlePem: 'r', certificates: [ENTRY] };
  t.strictSame(decodeSnapshot(encodeSnapshot(snapshot)), { ok: true, snapshot });
  t.end();
});

const refused: readonly (readonly [sentence: string, text: string, reason: RegExp])[] = [
  [
    'text that is not JSON is refused',
    encodeSnapshot({ trustBundlePem: '', certificates: [] }).slice(0, -3),
    /not JSON/,
  ],
  ['a list is refused', '[]', /not of version 1/],
  ['null is refused', 'null', /not of version 1/],
  ['another version is refused', '{"version":2}', /not of version 1/],
  ['a missing bundle is refused', '{"version":1}', /trustBundlePem/],
  [
    'certificates that are no list are refused',
    '{"version":1,"trustBundlePem":"","certificates":{}}',
    /not a list/,
  ],
  [
    'an entry without a key is refused',
    JSON.stringify({ version: 1, trustBundlePem: '', certificates: [{ ...ENTRY, privateKeyPem: 1 }] }),
    /certificates\[0\] is incomplete/,
  ],
  [
    'an entry whose identity is none is refused',
    JSON.stringify({ version: 1, trustBundlePem: '', certificates: [ENTRY, { ...ENTRY, identity: 'x' }] }),
    /certificates\[1\]/,
  ],
];

for (const [sentence, text, reason] of refused) {
  test(sentence, t => {
    t.match(decodeSnapshot(text), { ok: false, reason });
    t.end();
  });
}
