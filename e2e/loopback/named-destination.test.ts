import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { cannotIsolate, runIsolated } from './isolated.ts';

const PROGRAM = fileURLToPath(new URL('named-destination.ts', import.meta.url));

test('a ServiceEntry of resolution DNS is reached through a waypoint, at the addresses its name has now', {
  skip: cannotIsolate(),
  timeout: 600_000,
}, async t => {
  t.match(await runIsolated(PROGRAM), {
    both: { failures: 0, servers: ['127.201.0.1', '127.201.0.2'] },
    moved: { failures: 0, servers: ['127.201.0.3'] },
    failing: { failures: 0, servers: ['127.201.0.3'] },
    through: ['waypoint'],
    said: /api\.vendor\.test/,
  });
});
