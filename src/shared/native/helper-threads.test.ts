import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { giveHelpersTheRest } from './helper-threads.ts';

/** proc_pid_stat(5), field 41, counted behind the name, which may hold spaces. */
function policyOf(thread: string): number {
  const fields =
    readFileSync(`/proc/self/task/${thread}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
  return Number(fields[41 - 3]);
}

test('helper threads of the runtime get what is left over, the others stay as they are', t => {
  const names = new Map(
    readdirSync('/proc/self/task').map(id => [
      id,
      readFileSync(`/proc/self/task/${id}/comm`, 'latin1').trim(),
    ]),
  );
  const helpers = [...names].filter(([, name]) => name.startsWith('node-V8')).map(([id]) => id);
  t.ok(helpers.length > 0, 'the runtime has such threads, by the name that is looked for');
  t.equal(giveHelpersTheRest(), helpers.length);
  for (const [id, name] of names)
    t.equal(policyOf(id), helpers.includes(id) ? 5 : 0, `${name} has policy ${policyOf(id)}`);
  t.end();
});
