import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { isSameFile } from './same-file.ts';

test('files are the same when every byte is', async t => {
  const directory = t.testdir();
  const file = (name: string, content: Buffer): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const large = Buffer.alloc((2 << 20) + 7, 'x');
  const changed = Buffer.from(large);
  changed[changed.length - 1] = 0;
  const plugin = file('plugin', large);
  for (const [sentence, other, isSame] of [
    ['a copy', file('copy', large), true],
    ['one whose last byte differs', file('changed', changed), false],
    ['a shorter one', file('shorter', large.subarray(1)), false],
    ['one that is not there', join(directory, 'none'), false],
  ] as const)
    t.equal(await isSameFile(plugin, other), isSame, sentence);
  t.ok(await isSameFile(file('a', Buffer.alloc(0)), file('b', Buffer.alloc(0))), 'two empty ones');
  await t.rejects(isSameFile(join(directory, 'none'), plugin), { code: 'ENOENT' });
});
