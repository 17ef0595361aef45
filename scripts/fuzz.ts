import { globSync } from 'node:fs';
import { runTap } from './tap-run.ts';

/**
 * Runs every `*.fuzz.test.ts` (one a parser of untrusted bytes) for its share of the time.
 *
 *   npm run fuzz -- --seconds 60
 */
const DEFAULT_SECONDS = 60;
const SLACK_SECONDS = 60;

const at = process.argv.indexOf('--seconds');
const seconds = at < 0 ? DEFAULT_SECONDS : Number(process.argv[at + 1]);
if (!Number.isInteger(seconds) || seconds < 1 || seconds > 86_400) {
  console.error('--seconds takes a whole number from 1 to 86400');
  process.exit(2);
}
const files = globSync('src/**/*.fuzz.test.ts').sort();
const share = Math.max(1, Math.floor((seconds * 2) / Math.max(1, files.length)));
console.log(`# ${files.length} fuzz targets, ${share} s each, two at a time`);
const counts = await runTap(
  { files, jobs: 2, timeoutSeconds: share + SLACK_SECONDS, env: { FUZZ_SECONDS: String(share) } },
  console.log,
);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;
