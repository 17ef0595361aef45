import { test } from 'tap';
import { FdLedger } from './fd-ledger.ts';

test('who shares the memory learns what was open', t => {
  const thread = new FdLedger();
  for (const fd of [3, 31, 32, 1000, 65_535]) thread.add(fd);
  thread.add(40);
  thread.remove(40);
  const supervisor = new FdLedger(thread.memory);
  t.same(supervisor.takeAll(), [3, 31, 32, 1000, 65_535]);
  t.same(supervisor.takeAll(), [], 'each once');
  t.end();
});
