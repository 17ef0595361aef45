import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { programRanges, releaseCodePages } from './code-pages.ts';

const PROGRAM = '/opt/node/bin/node';

function mapping(head: string, anonymousKb: number): string {
  return `${head}\nSize:  1 kB\nRss:  1 kB\nAnonymous:  ${anonymousKb} kB\nLocked: 0 kB\n`;
}

const rows: { name: string; mapping: string; ranges: number }[] = [
  { name: 'code', mapping: mapping(`00400000-01400000 r-xp 00001000 fe:00 77 ${PROGRAM}`, 0), ranges: 1 },
  {
    name: 'constants',
    mapping: mapping(`00400000-01400000 r--p 00000000 fe:00 77  ${PROGRAM}`, 0),
    ranges: 1,
  },
  {
    name: 'constants that were relocated are not in the file',
    mapping: mapping(`00400000-01400000 r--p 00000000 fe:00 77 ${PROGRAM}`, 4),
    ranges: 0,
  },
  { name: 'data', mapping: mapping(`00400000-01400000 rw-p 00001000 fe:00 77 ${PROGRAM}`, 0), ranges: 0 },
  {
    name: 'another file',
    mapping: mapping('00400000-01400000 r-xp 0 fe:00 78 /lib/libc.so.6', 0),
    ranges: 0,
  },
  { name: 'memory', mapping: mapping('00400000-01400000 r-xp 00000000 00:00 0', 0), ranges: 0 },
  {
    name: 'a shared mapping',
    mapping: mapping(`00400000-01400000 r-xs 0 fe:00 77 ${PROGRAM}`, 0),
    ranges: 0,
  },
  { name: 'a few pages', mapping: mapping(`00400000-00410000 r-xp 0 fe:00 77 ${PROGRAM}`, 0), ranges: 0 },
];

test('only what is as in the file of the program is let go', t => {
  for (const { name, mapping: text, ranges } of rows)
    t.equal(programRanges(text, PROGRAM).length, ranges, name);
  const both = rows.map(row => row.mapping).join('');
  t.same(
    programRanges(both, PROGRAM),
    Array.from({ length: 2 }, () => ({ start: 0x400000n, bytes: 0x1000000n })),
  );
  t.same(programRanges('', PROGRAM), []);
  t.end();
});

function residentFileKb(): number {
  return Number(/RssFile:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
}

test('the pages go, and come back as they are used', t => {
  const before = residentFileKb();
  t.ok(releaseCodePages() > 0);
  t.ok(residentFileKb() < before, `${before} KB of files before`);
  t.same(JSON.parse('{"a":[1,2,{"b":"c"}]}'), { a: [1, 2, { b: 'c' }] });
  t.equal(new Intl.NumberFormat('en').format(1234567), '1,234,567');
  t.end();
});
