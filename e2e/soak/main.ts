/**
 * `npm run soak -- --minutes 30`: connections that come and go through two ztunnels and a waypoint; descriptors, memory and pool
 * counters must come back to where they began. The exit status says whether they did, and whether every answer came.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { errorMessage } from '#shared/observability/error-message.ts';
import { soak } from './soak.ts';

const USAGE = 'usage: npm run soak -- [--minutes N]';
const MAX_WARM_UP_S = 60;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '1' } } });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) {
    console.error(USAGE);
    return 2;
  }
  const stateDir = mkdtempSync('/dev/shm/amb-soak-');
  rmSync(stateDir, { recursive: true });
  const seconds = Math.ceil(minutes * 60);
  const warmUpSeconds = Math.min(MAX_WARM_UP_S, seconds);
  const result = await soak({ stateDir, seconds, warmUpSeconds, report: console.log });
  const { connections, faults } = result;
  for (const fault of faults) console.error(fault);
  console.log(`${connections} connections in ${result.seconds} of ${seconds} s, ${faults.length} faults`);
  return faults.length > 0 ? 1 : 0;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`soak: ${errorMessage(error)}`);
  return 1;
});
