import { test } from 'tap';
import { checkedBytes, parseTransit } from './run.ts';

test('what the client of a transit says', async t => {
  const output = 'checked 10\nchecked 25\n{"verified":30,"counts":{},"faults":["x"]}\n';
  t.equal(checkedBytes(output), 25);
  t.equal(checkedBytes(''), 0);
  t.same(parseTransit(output), { verifiedBytes: 30, faults: ['x'] });
  t.throws(() => parseTransit('checked 10\n'), { message: /without a result: checked 10/ });
});
