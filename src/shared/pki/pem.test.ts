import { test } from 'tap';
import { CHAIN_LIMITS, CSR_LIMITS, decodePem, decodeSinglePem, encodePem } from './pem.ts';

const ONE = encodePem('CERTIFICATE', Buffer.from('one'));
const TWO = encodePem('PRIVATE KEY', Buffer.alloc(100, 7));

test('blocks come out in order, text between them and CRLF line ends are ignored', t => {
  const blocks = decodePem(`a comment\n${ONE.replaceAll('\n', '\r\n')}more\n${TWO}`, CHAIN_LIMITS);
  t.strictSame(
    blocks.map(b => [b.label, b.der.toString('latin1')]),
    [
      ['CERTIFICATE', 'one'],
      ['PRIVATE KEY', '\x07'.repeat(100)],
    ],
  );
  t.strictSame(decodePem('no block at all', CHAIN_LIMITS), []);
  t.end();
});

const refused: readonly (readonly [sentence: string, text: string, message: RegExp])[] = [
  ['a block that is not closed is refused', ONE.slice(0, -10), /not closed/],
  ['a block closed by another label is refused', ONE.replace('END CERTIFICATE', 'END X'), /not closed/],
  ['a block inside a block is refused', ONE.replace('\nb', `\n${ONE}b`), /not closed/],
  ['a header inside a block is refused', TWO.replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n'), /strict base64/],
  ['characters outside the alphabet are refused', ONE.replace('b25l', 'b2*l'), /strict base64/],
  ['a length that is no multiple of four is refused', ONE.replace('b25l', 'b25'), /strict base64/],
  ['an empty block is refused', ONE.replace('b25l\n', ''), /strict base64/],
  ['an empty label is refused', ONE.replace('BEGIN CERTIFICATE', 'BEGIN '), /valid label/],
  ['a label without end is refused', '-----BEGIN CERT', /valid label/],
  ['too many blocks are refused', ONE.repeat(33), /more than 32/],
  ['too long a text is refused', ' '.repeat(300_000), /300000 characters/],
];

for (const [sentence, text, message] of refused) {
  test(sentence, t => {
    t.throws(() => decodePem(text, CHAIN_LIMITS), { name: 'PkiError', code: 'bad_pem', message });
    t.end();
  });
}

test('a single block must be there, be alone and be of the kind asked for', t => {
  const single = (text: string) => () => decodeSinglePem(text, ['CERTIFICATE'], CSR_LIMITS);
  t.throws(single(''), { message: /no PEM block/ });
  t.throws(single(ONE + ONE), { message: /more than 1/ });
  t.throws(single(TWO), { message: /PRIVATE KEY, expected CERTIFICATE/ });
  t.end();
});
