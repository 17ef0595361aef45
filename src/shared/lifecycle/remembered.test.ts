import { test } from 'tap';
import { Remembered } from './remembered.ts';

test('an answer is remembered until there are too many', t => {
  const asked: string[] = [];
  const lengths = new Remembered(2, (text: string) => {
    asked.push(text);
    return { length: text.length };
  });
  const first = lengths.of('a');
  t.same(first, { length: 1 });
  t.equal(lengths.of('a'), first, 'the same object');
  t.same(lengths.of('bc'), { length: 2 }, 'each question has its own answer');
  t.equal(lengths.of('a'), first, 'two are kept');
  t.strictSame(asked, ['a', 'bc'], 'and not asked for again');
  t.same(lengths.of('def'), { length: 3 }, 'a third is one too many');
  t.not(lengths.of('a'), first, 'the others are forgotten');
  t.strictSame(asked, ['a', 'bc', 'def', 'a']);
  t.end();
});
