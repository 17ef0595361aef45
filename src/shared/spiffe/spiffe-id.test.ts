import { test } from 'tap';
import { formatSpiffeId, isSpiffeId, parseSpiffeId, serviceAccountOf, spiffeIdFault } from './spiffe-id.ts';
import { parseTrustDomain } from './trust-domain.ts';

const refused: readonly (readonly [sentence: string, text: string, fault: RegExp])[] = [
  ['another scheme is refused', 'https://td/ns/a/sa/b', /must start with spiffe/],
  ['an upper-case scheme is refused: one spelling only', 'SPIFFE://td/ns/a/sa/b', /must start with spiffe/],
  ['an empty string is refused', '', /must start with spiffe/],
  ['too few segments are refused', 'spiffe://td/ns/a/sa', /must read/],
  ['too many segments are refused', 'spiffe://td/ns/a/sa/b/c', /must read/],
  ['a trailing slash is refused', 'spiffe://td/ns/a/sa/b/', /must read/],
  ['other path words are refused', 'spiffe://td/namespace/a/sa/b', /must read/],
  ['an empty trust domain is refused', 'spiffe:///ns/a/sa/b', /trust domain is empty/],
  ['an upper-case trust domain is refused', 'spiffe://TD/ns/a/sa/b', /trust domain may only/],
  ['a port in the trust domain is refused', 'spiffe://td:1/ns/a/sa/b', /trust domain may only/],
  ['user info in the trust domain is refused', 'spiffe://u@td/ns/a/sa/b', /trust domain may only/],
  ['an overlong trust domain is refused', `spiffe://${'a'.repeat(256)}/ns/a/sa/b`, /longer than 255/],
  ['an empty namespace is refused', 'spiffe://td/ns//sa/b', /namespace is empty/],
  ['an empty service account is refused', 'spiffe://td/ns/a/sa/', /service account is empty/],
  ['dot segments are refused', 'spiffe://td/ns/../sa/b', /may not be "\.\."/],
  ['percent encoding is refused', 'spiffe://td/ns/a%2fb/sa/c', /may only hold/],
  ['a query is refused', 'spiffe://td/ns/a/sa/b?x=1', /may only hold/],
  ['a fragment is refused', 'spiffe://td/ns/a/sa/b#x', /may only hold/],
  ['white space is refused', 'spiffe://td/ns/a/sa/b ', /may only hold/],
  ['a line break is refused', 'spiffe://td/ns/a/sa/b\n', /may only hold/],
  ['a NUL is refused', 'spiffe://td/ns/a\0/sa/b', /may only hold/],
  ['an overlong namespace is refused', `spiffe://td/ns/${'a'.repeat(64)}/sa/b`, /longer than 63/],
  ['an overlong service account is refused', `spiffe://td/ns/a/sa/${'b'.repeat(254)}`, /longer than 253/],
  ['an overlong id is refused before it is split', `spiffe://${'/'.repeat(3000)}`, /longer than 2048/],
];

for (const [sentence, text, fault] of refused) {
  test(sentence, t => {
    t.notOk(isSpiffeId(text));
    t.match(spiffeIdFault(text), fault);
    t.throws(() => parseSpiffeId(text), { name: 'SpiffeError', message: fault });
    t.end();
  });
}

test('an id and its parts are each other’s inverse', t => {
  const id = parseSpiffeId('spiffe://cluster.local/ns/payments/sa/orders.v1_x-2');
  t.equal(spiffeIdFault(id), undefined);
  t.strictSame(serviceAccountOf(id), {
    trustDomain: 'cluster.local',
    namespace: 'payments',
    serviceAccount: 'orders.v1_x-2',
  });
  t.equal(formatSpiffeId(serviceAccountOf(id)), id);
  t.end();
});

test('a part with a separator cannot be formatted into another id', t => {
  const trustDomain = parseTrustDomain('td');
  t.throws(() => formatSpiffeId({ trustDomain, namespace: 'a/sa/b', serviceAccount: 'c' }), {
    name: 'SpiffeError',
  });
  t.end();
});
