import { test } from 'tap';
import { parseUriNames } from './subject-alt-names.ts';

const ID = 'spiffe://cluster.local/ns/a/sa/b';

test('the URIs of subject alternative names', async t => {
  const rows: [string, string | undefined, readonly string[] | undefined][] = [
    ['a certificate without names has none', undefined, []],
    ['the only name', `URI:${ID}`, [ID]],
    ['names of other kinds are passed over', `DNS:a.example, URI:${ID}, IP Address:10.0.0.1`, [ID]],
    [
      'every URI counts: the caller refuses more than one',
      `URI:${ID}, URI:spiffe://x/y`,
      [ID, 'spiffe://x/y'],
    ],
    ['a URI hidden in a quoted DNS name is not a URI', `DNS:"a, URI:${ID}"`, []],
    ['a quoted URI is decoded', 'URI:"spiffe://a/b, DNS:c"', ['spiffe://a/b, DNS:c']],
    ['an escaped quote does not end the value', 'DNS:"a\\", URI:b", URI:c', ['c']],
    ['an open quote is refused', 'URI:"spiffe://a', undefined],
    ['text without a kind is refused', 'nonsense', undefined],
    ['text behind a quoted value is refused', 'URI:"a"b', undefined],
  ];
  for (const [name, text, expected] of rows) t.same(parseUriNames(text), expected, name);
});
