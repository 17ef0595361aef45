import { test } from 'tap';
import { parseSpiffeId } from './spiffe-id.ts';
import { peerIdentity } from './svid.ts';

const A = parseSpiffeId('spiffe://td/ns/a/sa/a');
const B = parseSpiffeId('spiffe://td/ns/b/sa/b');

test('a peer is its one URI SAN', t => {
  t.strictSame(peerIdentity([A]), { ok: true, id: A });
  t.match(peerIdentity([]), { ok: false, reason: /no URI SAN/ });
  t.match(peerIdentity([A, B]), { ok: false, reason: /2 URI SANs/ });
  t.match(peerIdentity(['https://a\n']), { ok: false, reason: /"https:\/\/a\\n": it must start with/ });
  t.end();
});
