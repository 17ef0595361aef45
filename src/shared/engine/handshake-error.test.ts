import { test } from 'tap';
import { handshakeError } from './handshake-error.ts';

const PEER = { ip: '10.0.0.1', port: 8443 };

/** [sentence, what the TLS library says, the end of the line] */
const ROWS: readonly (readonly [string, string, RegExp])[] = [
  [
    'TLS to a server of plaintext',
    'error:0A00010B:SSL routines::wrong version number',
    /^TLS handshake with 10.0.0.1:8443 failed: error:.*wrong version number: the other side does not speak TLS there$/,
  ],
  [
    'roots that are not the same on both sides',
    'error:0A000418:SSL routines::tlsv1 alert unknown ca',
    /: the other side does not trust the root of our certificate$/,
  ],
  [
    'clocks that differ',
    'error:0A000415:SSL routines::ssl/tls alert certificate expired',
    /: for the other side our certificate has expired: look at both clocks$/,
  ],
  [
    'a server that wants to know who asks',
    'error:0A00045C:SSL routines::tlsv13 alert certificate required',
    /: the other side asks for a certificate and got none$/,
  ],
  ['what says so itself is left as it is', 'certificate has expired', /failed: certificate has expired$/],
];

test('a handshake that failed says what it means', t => {
  for (const [sentence, said, line] of ROWS)
    t.match(handshakeError(new Error(said), 'client', PEER).message, line, sentence);
  t.end();
});
