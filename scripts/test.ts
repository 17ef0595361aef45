import { globSync } from 'node:fs';
import { engineTests } from './engine-tests.ts';
import { runTap, type TapCounts } from './tap-run.ts';

/**
 * The whole test ladder: unit and in-process tests two files at a time, those of the data path a second time on the
 * native engine (first on the portable one), then the whole-mesh tests of e2e/ one at a time,
 * since those own network namespaces and CPU. The last line is `N passed, N failed`.
 *
 *   npm test                      everything
 *   npm test -- src/shared/http1  files whose path contains any of the words
 */
const UNIT_TIMEOUT_SECONDS = 120;
const E2E_TIMEOUT_SECONDS = 900;

const words = process.argv.slice(2);
const wanted = (file: string): boolean => words.length === 0 || words.some(word => file.includes(word));
const unit = globSync(['src/**/*.test.ts', 'scripts/**/*.test.ts']).filter(wanted).sort();
const e2e = globSync('e2e/**/*.test.ts').filter(wanted).sort();
const started = performance.now();

const stages: TapCounts[] = [];
if (unit.length > 0) {
  console.log(`# ${unit.length} files of unit and in-process tests`);
  stages.push(await runTap({ files: unit, jobs: 2, timeoutSeconds: UNIT_TIMEOUT_SECONDS }, console.log));
}
const onEngine = engineTests(unit);
if (onEngine.length > 0) {
  console.log(`# ${onEngine.length} files of them on the native engine`);
  const env = { TEST_ENGINE: 'native' };
  stages.push(
    await runTap({ files: onEngine, jobs: 2, timeoutSeconds: UNIT_TIMEOUT_SECONDS, env }, console.log),
  );
}
if (e2e.length > 0) {
  console.log(`# ${e2e.length} files of whole-mesh tests`);
  stages.push(await runTap({ files: e2e, jobs: 1, timeoutSeconds: E2E_TIMEOUT_SECONDS }, console.log));
}
if (stages.length === 0) console.log(`no test file matches ${words.join(' ')}`);

const sum = (of: (c: TapCounts) => number): number => stages.reduce((n, stage) => n + of(stage), 0);
for (const reason of stages.flatMap(s => s.skipReasons)) console.log(`skipped: ${reason}`);
const failed = sum(c => c.failed) + (stages.length === 0 ? 1 : 0);
const skipped = sum(c => c.skipped);
console.log(`# ${((performance.now() - started) / 1000).toFixed(0)} s`);
console.log(`${sum(c => c.passed)} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;
