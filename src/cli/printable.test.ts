import { test } from 'tap';
import { printable } from './printable.ts';

const ROWS: readonly (readonly [sentence: string, text: string, printed: string])[] = [
  ['lines and columns stay', 'a\tb\nc\n', 'a\tb\nc\n'],
  ['letters of every script stay', 'grün 日本 ✓ …', 'grün 日本 ✓ …'],
  ['a sequence that clears the screen', '\u001b[2J', '\\u001b[2J'],
  ['one that sets the title', '\u001b]0;x\u0007', '\\u001b]0;x\\u0007'],
  ['a carriage return that writes over the line', 'bad\rgood', 'bad\\u000dgood'],
  ['a backspace', 'a\bb', 'a\\u0008b'],
  ['sequences of eight bits', '\u009b2J', '\\u009b2J'],
  ['text that is turned round', 'a\u202eb', 'a\\u202eb'],
];

test('nothing that a terminal would act on is printed', t => {
  for (const [sentence, text, printed] of ROWS) t.equal(printable(text), printed, sentence);
  const value = { name: 'a\u009bb\u007f' };
  t.same(JSON.parse(printable(JSON.stringify(value))), value, 'JSON means the same');
  t.end();
});
