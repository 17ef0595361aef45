import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import { PRE_CHECKS } from '../check/all-checks.ts';
import { hasFatal, runChecks } from '../check/check.ts';
import { gatherSnapshot } from '../check/gather.ts';
import { checkReport } from '../check/report.ts';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { NAMESPACE } from '../cluster/kinds.ts';
import { DATAPLANE_MODE } from '../cluster/mesh-labels.ts';
import { stageCharts } from '../install/charts.ts';
import { type ChartValues, helm, type Release, valueArguments } from '../install/helm.ts';
import { untilRolledOut } from '../install/rollout.ts';
import { type ClusterOptions, collect, parseSeconds, withClusterOptions } from '../options.ts';

interface ReleaseOptions extends ClusterOptions {
  readonly namespace: string;
  readonly release: string;
  readonly timeout: number;
}

interface InstallOptions extends ReleaseOptions, ChartValues {
  readonly charts?: string;
  readonly dryRun?: true;
  readonly wait?: true;
  readonly skipChecks?: true;
  readonly forceConflicts?: true;
}

/** `ambientctl install` and `uninstall`: Helm does the work, with the charts of this version. */
export function addInstall(program: Command, cli: Cli): void {
  const install = program.command('install').description('installs the mesh by Helm, or upgrades it');
  withRelease(install)
    .option('--set <name=value>', 'a value of the charts; may be repeated', collect, [])
    .option('--values <file>', 'a file of values; may be repeated', collect, [])
    .option('--charts <dir>', 'other charts than those of this version')
    .option('--dry-run', 'print the objects in place of applying them')
    .option('--wait', 'until everything is ready')
    .option('--timeout <seconds>', 'with --wait: for how long', parseSeconds, 300)
    .option('--skip-checks', 'also when "check --pre" fails')
    .option('--force-conflicts', 'also set back what was changed by hand (with Helm 4)')
    .action((options: InstallOptions) => runInstall(options, cli));
  withRelease(program.command('uninstall').description('removes the mesh; its pods go on without it'))
    .option('--timeout <seconds>', 'for how long to wait', parseSeconds, 300)
    .action((options: ReleaseOptions) => runUninstall(options, cli));
}

function withRelease(command: Command): Command {
  return withClusterOptions(command)
    .option('-n, --namespace <name>', 'the namespace of the mesh', 'istio-system')
    .option('--release <name>', 'name of the Helm release', 'ambient');
}

async function runInstall(options: InstallOptions, cli: Cli): Promise<void> {
  const chart = stageCharts(options.charts);
  try {
    const release = { name: options.release, namespace: options.namespace };
    if (options.dryRun === true) {
      cli.stdout(await helm(['template', ...installArguments(release, chart, options)], options, cli));
      return;
    }
    const cluster = await cli.openCluster(options, cli.env);
    if (options.skipChecks !== true) {
      const results = runChecks(PRE_CHECKS, await gatherSnapshot(cluster, cli.now()));
      if (hasFatal(results)) {
        cli.stdout(checkReport(results));
        throw new CliError(
          'the cluster is not ready for an installation; --skip-checks installs all the same',
        );
      }
    }
    const force = options.forceConflicts === true ? ['--force-conflicts'] : [];
    const args = ['upgrade', '--install', '--create-namespace', ...force];
    await helm([...args, ...installArguments(release, chart, options)], options, cli);
    cli.stdout(`release ${release.name} installed in namespace ${release.namespace}\n`);
    if (options.wait === true) await untilRolledOut(cluster, release.namespace, options.timeout * 1_000, cli);
    cli.stdout('next: ambientctl namespace add NAME\n');
  } finally {
    rmSync(chart, { recursive: true, force: true });
  }
}

function installArguments(release: Release, chart: string, values: ChartValues): string[] {
  return [release.name, chart, '--namespace', release.namespace, ...valueArguments(values)];
}

async function runUninstall(options: ReleaseOptions, cli: Cli): Promise<void> {
  const { api } = await cli.openCluster(options, cli.env);
  const labelled = ((await api.list(NAMESPACE)) ?? []).filter(n => n.labels[DATAPLANE_MODE] === 'ambient');
  const timeout = `${options.timeout}s`;
  const args = [
    'uninstall',
    options.release,
    '--namespace',
    options.namespace,
    '--wait',
    '--timeout',
    timeout,
  ];
  await helm(args, options, cli);
  cli.stdout(`release ${options.release} removed from namespace ${options.namespace}\n`);
  if (labelled.length > 0) {
    const names = labelled.map(n => n.name);
    cli.stderr(
      `warning: the label ${DATAPLANE_MODE} is still on namespace ${names.join(', ')}: a later installation captures their pods; ambientctl namespace remove ${names.join(' ')}\n`,
    );
  }
}
