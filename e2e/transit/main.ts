/**
 * `npm run transit -- --gib 100 [--engine native|node]`: known bytes through the tunnels of both engines, with pauses, half-closes and
 * resets at random. The exit status says whether every byte arrived in order, and every end as what it was.
 */
import { parseArgs } from 'node:util';
import { errorMessage } from '#shared/observability/error-message.ts';
import { transit } from './run.ts';

const ENGINES = ['native', 'node'] as const;
const GIB_BYTES = 2 ** 30;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { gib: { type: 'string', default: '1' }, engine: { type: 'string' } },
  });
  const gib = Number(values.gib);
  const engines = ENGINES.filter(engine => values.engine === undefined || values.engine === engine);
  if (!(gib > 0) || engines.length === 0) {
    console.error('usage: npm run transit -- [--gib N] [--engine native|node]');
    return 2;
  }
  let failed = false;
  for (const engine of engines) {
    const report = (line: string): void => console.error(`${engine}: ${line}`);
    const started = performance.now();
    const { faults, verifiedBytes } = await transit({ engine, gib, report });
    for (const fault of faults) console.error(`${engine}: ${fault}`);
    const seconds = (performance.now() - started) / 1000;
    const checked = (verifiedBytes / GIB_BYTES).toFixed(2);
    console.log(`${engine}: ${checked} GiB checked in ${seconds.toFixed(0)} s, ${faults.length} faults`);
    failed ||= faults.length > 0;
  }
  return failed ? 1 : 0;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(`transit: ${errorMessage(error)}`);
  return 1;
});
