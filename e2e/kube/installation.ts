import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyCharts } from '../../scripts/charts/helm.ts';
import { gatewayApiCrds } from '../../src/controller/testing/kube-binaries.ts';
import { kubectl, start } from './kubectl.ts';
import { MESH_NAMESPACE } from './test-namespace.ts';

const RELEASE = 'ambient';
const INSTALL_DEADLINE_S = 120;

/** @param values for helm, as `--set` takes them. @param from a directory of charts; default: this version's */
export async function install(values: readonly string[] = [], from?: string): Promise<void> {
  const charts = copyCharts('helm', from);
  try {
    const chart = join(charts, 'ambient');
    const timeout = `${INSTALL_DEADLINE_S}s`;
    const set = values.flatMap(value => ['--set', value]);
    const fixed = ['--namespace', MESH_NAMESPACE, '--create-namespace', '--wait', '--timeout', timeout];
    await helm('upgrade', '--install', RELEASE, chart, ...fixed, ...set);
  } finally {
    rmSync(charts, { recursive: true });
  }
}

async function helm(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await start('helm', args, {
    timeoutMs: (INSTALL_DEADLINE_S + 30) * 1_000,
  }).done;
  if (status !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

/** Gateway API's definitions: what is in the cluster, else from `GATEWAY_API_CRDS` or its Go module. @returns whether there are some */
export async function ensureGatewayApi(): Promise<boolean> {
  const there = await kubectl([
    'get',
    'crd',
    'httproutes.gateway.networking.k8s.io',
    '--ignore-not-found',
    '-o',
    'name',
  ]);
  if (there !== '') return true;
  const directory = gatewayApiCrds();
  if (directory === undefined) return false;
  const files = globSync(join(directory, 'experimental', 'gateway*.yaml'));
  await kubectl(['apply', '--server-side', ...files.flatMap(file => ['-f', file])]);
  return true;
}
