import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { HelperWatch, parseStat, setHelperPolicy, watchHelpers } from './helper-threads.ts';

/** proc_pid_stat(5), field 41, counted behind the name, which may hold spaces. */
function policyOf(thread: number): number {
  const fields =
    readFileSync(`/proc/self/task/${thread}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return Number(fields[41 - 3]);
}

test('the runtime has helper threads, by the name that is looked for, whose policy can be changed both ways', t => {
  const all = readdirSync('/proc/self/task').map(Number);
  const helpers = watchHelpers().map(({ thread }) => thread);
  t.ok(helpers.length > 0);
  for (const policy of ['idle', 'fair', 'idle'] as const) {
    for (const helper of helpers) t.ok(setHelperPolicy(helper, policy), `to ${policy}`);
    for (const id of all) t.equal(policyOf(id), policy === 'idle' && helpers.includes(id) ? 5 : 0);
  }
  t.end();
});

test('a thread tells whether it has work and how long it had a processor', t => {
  const own = new HelperWatch(process.pid);
  const first = own.look();
  t.equal(first?.isRunnable, true, 'the one that looks is running');
  t.ok((first?.ranMs ?? 0) >= 10);
  t.throws(() => new HelperWatch(2 ** 22 + 1), 'no such thread');
  const stat = (name: string, state: string): string => `12 (${name}) ${state} 1 2 3 4 5 6 7 8 9 10 11 12 13`;
  t.same(parseStat(stat('node-V8Worker', 'S')), { isRunnable: false, ranMs: 230 });
  t.same(parseStat(stat('a ) R 0', 'R')), { isRunnable: true, ranMs: 230 }, 'a name may hold anything');
  t.equal(parseStat(''), undefined);
  t.end();
});
