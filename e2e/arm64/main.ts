import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runTap } from '../../scripts/tap-run.ts';
import { cannotEmulate, emulatedEnvironment } from './emulator.ts';

/**
 * The native engine's tests on arm64, on an emulated processor where this machine is none: layouts of structures, numbers,
 * foreign calls, memory, the loop, TLS, HBONE, and ztunnel's threads on top of it. What the emulator does not know is
 * skipped; tests with deadlines of requests are left out, which an emulated processor does not keep.
 *
 *   npm run arm64                    about ten minutes on two cores
 *   npm run arm64 -- native/native   files whose path contains any of the words
 */
const FILES = [
  'src/shared/native/*.test.ts',
  'src/shared/engine/**/*.test.ts',
  'src/shared/hbone/*.test.ts',
  'src/ztunnel/workers/traffic-thread.test.ts',
  'src/ztunnel/workers/worker-threads.test.ts',
];
/** An emulated processor is ten to thirty times slower. */
const TIMEOUT_SECONDS = 1_200;

const reason = cannotEmulate();
if (reason !== undefined) {
  console.error(`arm64: ${reason}`);
  process.exit(1);
}
const words = process.argv.slice(2);
const files = globSync(FILES)
  .filter(file => words.length === 0 || words.some(word => file.includes(word)))
  .sort();
const env = {
  ...emulatedEnvironment(fileURLToPath(new URL('../..', import.meta.url))),
  TEST_ENGINE: 'native',
  FUZZ_SECONDS: '60',
};
console.log(`# ${files.length} files on arm64`);
const counts = await runTap({ files, jobs: 2, timeoutSeconds: TIMEOUT_SECONDS, env }, console.log);
for (const why of counts.skipReasons) console.log(`skipped: ${why}`);
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed === 0 ? 0 : 1;
