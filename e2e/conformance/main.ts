import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeProgram, gatewayApiCrds } from '../../src/controller/testing/kube-binaries.ts';
import { VERSION } from '../../src/shared/config/version.ts';
import { install } from '../kube/installation.ts';
import { kubectl, start } from '../kube/kubectl.ts';
import { readSuiteOutput, verdict } from './suite-result.ts';

/**
 * Installs the charts into the cluster of KUBECONFIG and runs the official conformance suite of Gateway API, v1.6.3, with
 * every feature a mesh can have.
 *
 *   npm run conformance                      every mesh test; dist-conformance/report.yaml, log.txt
 *   npm run conformance -- MeshConsumerRoute one test
 *
 * The nodes need the image of `npm run image` and the suite's echo image; E2E_LOAD as for `npm run e2e`. The suite's test
 * binary is `gwconf.test` in KUBE_BINARIES (`go test -c sigs.k8s.io/gateway-api/conformance`).
 */
const DIRECTORY = 'dist-conformance';
const SUITE_TIMEOUT_MS = 40 * 60_000;
/** Tests that the features below select in v1.6.3. One that did not run is no success. */
const MESH_TESTS = 22;

const FEATURES = [
  'Mesh',
  'HTTPRoute',
  'GRPCRoute',
  'MeshClusterIPMatching',
  'MeshConsumerRoute',
  'MeshHTTPRouteBackendRequestHeaderModification',
  'MeshHTTPRouteNamedRouteRule',
  'MeshHTTPRouteQueryParamMatching',
  'MeshHTTPRouteRedirectPath',
  'MeshHTTPRouteRedirectPort',
  'MeshHTTPRouteRewritePath',
  'MeshHTTPRouteSchemeRedirect',
  'HTTPRouteParentRefPort',
  'HTTPRouteResponseHeaderModification',
  'HTTPRoute303RedirectStatusCode',
  'HTTPRoute307RedirectStatusCode',
  'HTTPRoute308RedirectStatusCode',
];
const NAMESPACE_LABELS = ['istio.io/dataplane-mode=ambient', 'ambient.mesh/auto-waypoint=true'];

const [only] = process.argv.slice(2);
const suite = kubeProgram('gwconf.test');
if (!existsSync(suite)) fail(`${suite} is not there: build the suite (KUBE_BINARIES)`);
const crds = gatewayApiCrds();
if (crds === undefined) fail('no Gateway API: set GATEWAY_API_CRDS to a directory with standard/');
rmSync(DIRECTORY, { recursive: true, force: true });
mkdirSync(DIRECTORY);

const load = process.env['E2E_LOAD'];
if (load !== undefined)
  execFileSync('/bin/sh', ['-c', `${load} dist-image/ambient-mesh.tar`], { stdio: 'inherit' });
await kubectl(['apply', '--server-side', '-f', join(crds, 'standard')]);
try {
  await install();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  await tellWhatRuns();
  fail('the mesh could not be installed');
}
console.log('# mesh installed, running the suite');

const report = join(DIRECTORY, 'report.yaml');
const running = start(
  suite,
  [
    '-test.v',
    '-test.timeout=40m',
    '-test.run=^TestConformance$',
    '-conformance-profiles=MESH-HTTP,MESH-GRPC',
    `-supported-features=${FEATURES.join(',')}`,
    `-namespace-labels=${NAMESPACE_LABELS.join(',')}`,
    '-organization=ambient-mesh',
    '-project=ambient-mesh',
    `-version=${VERSION}`,
    '-url=https://ambient-mesh.example',
    '-contact=maintainers@ambient-mesh.example',
    `-report-output=${join(process.cwd(), report)}`,
    ...(only === undefined ? [] : [`-run-test=${only}`]),
  ],
  { timeoutMs: SUITE_TIMEOUT_MS },
);
const { status, stderr, stdout } = await running.done;
writeFileSync(join(DIRECTORY, 'log.txt'), stdout + stderr);

const result = readSuiteOutput(stdout);
for (const name of result.failed) console.log(`failed: ${name}`);
for (const name of result.skipped.filter(skipped => skipped.startsWith('Mesh')))
  console.log(`skipped: ${name}`);
if (existsSync(report)) console.log(readFileSync(report, 'utf8'));
if (status !== 0) await tellWhatRuns();
const { line, ok } = verdict(result, only === undefined ? MESH_TESTS : 1);
console.log(line);
process.exitCode = ok && status === 0 ? 0 : 1;

async function tellWhatRuns(): Promise<void> {
  const labels = [
    'app.kubernetes.io/part-of=ambient-mesh',
    'gateway.istio.io/managed=ambient-mesh-controller',
  ];
  const said = [await kubectl(['get', 'pods', '-A', '-o', 'wide']).catch(String)];
  for (const label of labels)
    said.push(
      await kubectl(['logs', '-A', '-l', label, '--tail=300', '--prefix', '--ignore-errors']).catch(String),
    );
  writeFileSync(join(DIRECTORY, 'mesh.txt'), said.join('\n'));
  console.error(`# what ran, and its logs: ${DIRECTORY}/mesh.txt`);
}

function fail(why: string): never {
  console.error(`conformance: ${why}`);
  process.exit(1);
}
