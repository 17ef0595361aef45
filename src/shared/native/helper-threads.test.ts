import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { helperActivity, helperThreads, setHelperPolicy } from './helper-threads.ts';

/** proc_pid_stat(5), field 41, counted behind the name, which may hold spaces. */
function policyOf(thread: number): number {
  const fields =
    readFileSync(`/proc/self/task/${thread}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return Number(fields[41 - 3]);
}

test('the runtime has helper threads, by the name that is looked for, whose policy can be changed both ways', t => {
  const all = readdirSync('/proc/self/task').map(Number);
  const helpers = helperThreads();
  t.ok(helpers.length > 0);
  for (const policy of ['idle', 'fair', 'idle'] as const) {
    for (const helper of helpers) t.ok(setHelperPolicy(helper, policy), `to ${policy}`);
    for (const id of all) t.equal(policyOf(id), policy === 'idle' && helpers.includes(id) ? 5 : 0);
  }
  t.end();
});

test('a thread tells whether it has work and how long it had a processor', t => {
  const own = helperActivity(process.pid);
  t.equal(own?.isRunnable, true, 'the one that looks is running');
  t.ok((own?.ranMs ?? 0) > 1);
  t.equal(helperActivity(2 ** 22 + 1), undefined, 'no such thread');
  t.end();
});
