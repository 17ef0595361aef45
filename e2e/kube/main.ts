import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { errorMessage } from '#shared/observability/error-message.ts';
import { runTap } from '../../scripts/tap-run.ts';
import { ensureGatewayApi, install } from './installation.ts';
import { kubectl } from './kubectl.ts';
import { MESH_NAMESPACE } from './test-namespace.ts';

/**
 * Installs the charts into the cluster of KUBECONFIG and runs every test of e2e/kube/tests, each in namespaces of its own.
 *
 *   npm run e2e                  everything
 *   npm run e2e -- policy probes files whose name contains one of the words
 *
 * The nodes need two images, `npm run image` and `npm run e2e:image`, which write archives into dist-image/; E2E_LOAD is a
 * command that brings one to every node, given the archive (as `kind load image-archive` does).
 */
const FILE_TIMEOUT_S = 480;

const words = process.argv.slice(2);
const all = globSync('e2e/kube/tests/*.test.ts').sort();
const wanted = all.filter(file => words.length === 0 || words.some(word => file.includes(word)));
if (wanted.length === 0) fail(`no test matches ${words.join(' ')}; there are ${all.join(' ')}`);

try {
  await kubectl(['version', '-o', 'json'], { timeoutMs: 10_000 });
} catch (error) {
  fail(`no cluster: ${errorMessage(error)}; set KUBECONFIG`);
}
for (const archive of ['dist-image/ambient-mesh.tar', 'dist-image/ambient-e2e.tar']) {
  const load = process.env['E2E_LOAD'];
  if (load !== undefined) execFileSync('/bin/sh', ['-c', `${load} ${archive}`], { stdio: 'inherit' });
}

const started = performance.now();
const gatewayApi = await ensureGatewayApi();
if (!gatewayApi) console.log('# no Gateway API: tests of waypoints are skipped');
try {
  await install();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  await tellWhatRuns();
  fail('the mesh could not be installed');
}
console.log(`# installed in ${((performance.now() - started) / 1_000).toFixed(1)} s`);

const env = { E2E_CLUSTER: '1', ...(gatewayApi ? { E2E_GATEWAY_API: '1' } : {}) };
const counts = await runTap({ files: wanted, jobs: 1, timeoutSeconds: FILE_TIMEOUT_S, env }, console.log);
for (const reason of counts.skipReasons) console.log(`skipped: ${reason}`);
if (counts.failed > 0) await tellWhatRuns();
console.log(`# ${((performance.now() - started) / 1_000).toFixed(0)} s`);
console.log(
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`,
);
process.exitCode = counts.failed === 0 ? 0 : 1;

async function tellWhatRuns(): Promise<void> {
  for (const args of [
    ['get', 'pods', '-A', '-o', 'wide'],
    ['get', 'events', '-n', MESH_NAMESPACE, '--sort-by=.lastTimestamp'],
    [
      'logs',
      '-n',
      MESH_NAMESPACE,
      '-l',
      'app.kubernetes.io/part-of=ambient-mesh',
      '--tail=60',
      '--prefix',
      '--ignore-errors',
    ],
  ])
    console.error(await kubectl(args).catch(String));
}

function fail(why: string): never {
  console.error(`e2e: ${why}`);
  process.exit(1);
}
