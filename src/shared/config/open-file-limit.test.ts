import { test } from 'tap';
import { openFileLimit, parseOpenFileLimit } from './open-file-limit.ts';

const listing = (soft: string): string =>
  [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max processes             7824                 7824                 processes ',
    `Max open files            ${soft.padEnd(20)} 1048576              files     `,
    'Max locked memory         8388608              8388608              bytes     ',
  ].join('\n');

const ROWS: readonly (readonly [string, string, number | undefined])[] = [
  ['the soft limit counts', listing('20000'), 20_000],
  ['there may be none', listing('unlimited'), Number.MAX_SAFE_INTEGER],
  ['where it is not told it is not known', 'Max processes 1 1 processes', undefined],
];

for (const [sentence, text, limit] of ROWS) {
  test(sentence, t => {
    t.equal(parseOpenFileLimit(text), limit);
    t.end();
  });
}

test('this process has one', t => {
  t.ok(openFileLimit() > 100);
  t.end();
});
