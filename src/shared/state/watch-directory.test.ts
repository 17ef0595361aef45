import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { watchDirectory } from './watch-directory.ts';

/** The kernel's own limits, for a process that may set them for itself alone. */
const LIMITS = [
  ['instances', /EMFILE/],
  ['watches', /ENOSPC/],
] as const;
const skip =
  spawnSync('unshare', ['-Ur', 'test', '-w', '/proc/sys/user/max_inotify_instances']).status === 0
    ? false
    : 'limits of the kernel cannot be set here';

test('names that change are told of, until it ends', async t => {
  const directory = t.testdir({});
  const changes = Promise.withResolvers<string | null>();
  const unwatch = watchDirectory(directory, {
    onChange: name => changes.resolve(name),
    onFailure: reason => t.fail(reason),
  });
  writeFileSync(join(directory, 'one'), '');
  t.equal(await changes.promise, 'one');
  unwatch();
});

for (const [what, reason] of LIMITS) {
  test(`a node that has no ${what} of inotify left: nothing is thrown, and it is told`, { skip }, t => {
    const program = `
      import { watchDirectory } from ${JSON.stringify(new URL('./watch-directory.ts', import.meta.url).href)};
      const options = { onChange: () => undefined, onFailure: reason => console.log(reason) };
      watchDirectory('/tmp', options)();`;
    const limited = `echo 0 >/proc/sys/user/max_inotify_${what}; exec "$0" --input-type=module -e "$1"`;
    const said = execFileSync('unshare', ['-Ur', 'sh', '-c', limited, process.execPath, program]);
    t.match(said.toString(), reason);
    t.end();
  });
}
