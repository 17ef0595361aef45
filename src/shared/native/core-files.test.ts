import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { test } from 'tap';

const skip = process.platform === 'linux' ? false : 'limits of Linux';
const MODULE = JSON.stringify(new URL('./core-files.ts', import.meta.url).href);

/** Runs with as large a core file as may be, in a directory of its own. */
function run(directory: string, program: string) {
  const command = 'ulimit -c "$(ulimit -H -c)"; exec "$0" --input-type=module -e "$1"';
  return spawnSync('sh', ['-c', command, process.execPath, program], { cwd: directory, encoding: 'utf8' });
}

test('the soft limit of core files is none, the hard one stays', { skip }, t => {
  const show = `console.log(/^Max core file size +(\\S+) +(\\S+)/m.exec(readFileSync('/proc/self/limits'))[0].split(/ {2,}/));`;
  const read = `import { readFileSync } from 'node:fs';`;
  const { stdout: before } = run(t.testdir({}), `${read}${show}`);
  const { stdout: after } = run(
    t.testdir({}),
    `${read} import { forbidCoreFiles } from ${MODULE}; forbidCoreFiles(); ${show}`,
  );
  const hard = /'(\S+)'\s*\]/.exec(before)?.[1];
  t.match(after, new RegExp(`'0',\\s*'${String(hard)}'`));
  t.end();
});

test('a process that crashes leaves no core file', { skip }, t => {
  const directory = t.testdir({});
  const { signal } = run(
    directory,
    `import { forbidCoreFiles } from ${MODULE}; forbidCoreFiles(); process.abort();`,
  );
  t.equal(signal, 'SIGABRT');
  t.same(readdirSync(directory), []);
  t.end();
});
