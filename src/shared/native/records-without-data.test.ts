import { test } from 'tap';
import { MAX_IN_A_ROW, RecordsWithoutData } from './records-without-data.ts';

/** `.` a record without data, `:` a part of one, a number so many bytes of data; `!` after that which is too much. */
const rows: { name: string; came: string }[] = [
  { name: 'so many in a row', came: '.'.repeat(MAX_IN_A_ROW) },
  { name: 'one too many in a row', came: `${'.'.repeat(MAX_IN_A_ROW + 1)}!` },
  { name: 'data in between, however little', came: `${'.'.repeat(MAX_IN_A_ROW)} 1 `.repeat(3) },
  { name: 'each in two steps', came: ':.'.repeat(MAX_IN_A_ROW) },
  { name: 'many messages in one record', came: `${':'.repeat(2 * MAX_IN_A_ROW + 1)}!` },
  { name: 'again and again with hardly any data', came: `${`${'.'.repeat(MAX_IN_A_ROW)} 1 `.repeat(16)}.!` },
  {
    name: 'again and again with data that makes up for it',
    came: `${'.'.repeat(MAX_IN_A_ROW)} 16384 `.repeat(100),
  },
  { name: 'much data beforehand makes up for nothing', came: `9999999 ${'.'.repeat(MAX_IN_A_ROW + 1)}!` },
];

for (const { name, came } of rows) {
  test(`records without data: ${name}`, t => {
    const records = new RecordsWithoutData();
    let isTooMuch = false;
    let told = '';
    for (const [what] of came.matchAll(/\d+|[.:]| /g)) {
      if (Number(what) > 0) records.dataCame(Number(what));
      else if (what !== ' ') isTooMuch = records.count(what === '.');
      told += isTooMuch ? `${what}!` : what;
    }
    t.equal(told, came);
    t.end();
  });
}
