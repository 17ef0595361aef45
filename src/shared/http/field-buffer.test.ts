import { test } from 'tap';
import { FieldBuffer } from './field-buffer.ts';

test('a list that is filled again and again shows what was added last, and nothing of before', t => {
  const buffer = new FieldBuffer();
  t.same(buffer.fields, []);
  buffer.add('a', '1');
  buffer.add('b', '2');
  t.same(buffer.fields, ['a', '1', 'b', '2']);
  buffer.clear();
  buffer.add('c', '3');
  t.same(buffer.fields, ['c', '3'], 'a shorter one');
  buffer.clear();
  t.same(buffer.fields, [], 'none');
  for (let i = 0; i < 100; i++) buffer.add(`n${i}`, String(i));
  t.equal(buffer.fields.length, 200, 'a longer one');
  t.same(buffer.fields.slice(-2), ['n99', '99']);
  t.end();
});
