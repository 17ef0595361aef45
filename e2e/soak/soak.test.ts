import { mkdtempSync, rmSync } from 'node:fs';
import { test } from 'tap';
import { cannotMakeNetns } from '#shared/testing/netns-lab.ts';
import { soak } from './soak.ts';

/** The whole of it is `npm run soak -- --minutes 30`. */
test('after connections that came and went, descriptors and pools are as they were', {
  skip: cannotMakeNetns(),
  timeout: 400_000,
}, async t => {
  const stateDir = mkdtempSync('/dev/shm/amb-soak-');
  rmSync(stateDir, { recursive: true });
  const lines: string[] = [];
  const report = (line: string): void => void lines.push(line);
  const { connections, faults } = await soak({ stateDir, warmUpSeconds: 5, seconds: 5, report });
  t.same(faults, [], lines.join('\n'));
  t.ok(connections > 50, `${connections} connections`);
});
