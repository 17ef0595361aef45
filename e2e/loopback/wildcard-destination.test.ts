import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { cannotIsolate, runIsolated } from './isolated.ts';

const PROGRAM = fileURLToPath(new URL('wildcard-destination.ts', import.meta.url));

test('each host of a wildcard ServiceEntry is reached through a waypoint, by its address and by name', {
  skip: cannotIsolate(),
  timeout: 600_000,
}, async t => {
  t.match(await runIsolated(PROGRAM), {
    red: { status: 200, body: '127.201.0.1 a.vendor.test waypoint' },
    blue: { status: 200, body: '127.201.0.2 b.vendor.test waypoint' },
    byName: { status: 200, body: '127.201.0.2 b.vendor.test waypoint' },
    moved: { status: 200, body: '127.201.0.3 a.vendor.test waypoint' },
    unknown: { status: 503 },
    foreign: { status: 404 },
    said: /response_flags="DF".*c\.vendor\.test/,
  });
});
