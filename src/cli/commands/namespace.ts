import type { Command } from 'commander';
import { type Cli, print } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import type { KubeApi } from '../cluster/kube-api.ts';
import { NAMESPACE, POD } from '../cluster/kinds.ts';
import { DATAPLANE_MODE, REDIRECTION, USE_WAYPOINT } from '../cluster/mesh-labels.ts';
import type { KubeObject } from '../cluster/kube-object.ts';
import { isRunning, proxyKindOf } from '../cluster/mesh-pods.ts';
import { type ClusterOptions, withClusterOptions, withOutput } from '../options.ts';
import type { OutputFormat, Report } from '../render/output.ts';

/** `ambientctl namespace …`: which namespaces are in the mesh. */
export function addNamespaceCommands(program: Command, cli: Cli): void {
  const group = program.command('namespace').description('which namespaces are in the mesh');
  addChange(group, 'add', 'labels namespaces: their pods are captured, without a restart', 'ambient', cli);
  addChange(group, 'remove', 'takes the label away: their pods leave the mesh', null, cli);
  const list = group.command('list').description('namespaces of the mesh, and their pods');
  withClusterOptions(withOutput(list))
    .option('--all', 'also those outside the mesh')
    .action(async (options: ClusterOptions & { output: OutputFormat; all?: true }) => {
      const { api } = await cli.openCluster(options, cli.env);
      const [namespaces = [], pods = []] = await Promise.all([api.list(NAMESPACE), api.list(POD)]);
      print(cli, options, namespaceReport(namespaces, pods, options.all === true));
    });
}

function addChange(
  group: Command,
  verb: 'add' | 'remove',
  description: string,
  mode: 'ambient' | null,
  cli: Cli,
): void {
  const command = group.command(verb).description(description).argument('<name...>', 'namespaces');
  withClusterOptions(command).action(async (names: string[], options: ClusterOptions) => {
    const { api } = await cli.openCluster(options, cli.env);
    await requireNamespaces(names, api);
    if (mode !== null) await refuseOwn(names, api);
    for (const name of names) {
      await api.merge(NAMESPACE, '', name, { metadata: { labels: { [DATAPLANE_MODE]: mode } } });
      cli.stdout(
        mode === null
          ? `namespace ${name}: label ${DATAPLANE_MODE} removed\n`
          : `namespace ${name} labeled ${DATAPLANE_MODE}=${mode}\n`,
      );
    }
  });
}

/** All of them are looked at before the first is changed. */
async function requireNamespaces(names: readonly string[], api: KubeApi): Promise<void> {
  const found = (await api.list(NAMESPACE)) ?? [];
  const missing = names.filter(name => !found.some(n => n.name === name));
  if (missing.length > 0)
    throw new CliError(`there is no namespace ${missing.join(', ')}; nothing was changed`);
}

/** ztunnel never captures what the mesh itself needs to work; a label that says otherwise only makes `check` fail. */
async function refuseOwn(names: readonly string[], api: KubeApi): Promise<void> {
  const pods = (await api.list(POD)) ?? [];
  const own = names.filter(name =>
    pods.some(p => p.namespace === name && ['ztunnel', 'controller'].includes(proxyKindOf(p) ?? '')),
  );
  if (own.length > 0)
    throw new CliError(
      `the mesh itself runs in namespace ${own.join(', ')}, which is never captured; nothing was changed`,
    );
}

/** Waypoints, and pods on the network of their host, are never captured: they do not count as missing. */
function mayBeCaptured(pod: KubeObject): boolean {
  return isRunning(pod) && proxyKindOf(pod) === undefined && pod.spec['hostNetwork'] !== true;
}

function namespaceReport(
  namespaces: readonly KubeObject[],
  pods: readonly KubeObject[],
  all: boolean,
): Report {
  const entries = namespaces
    .map(({ name, labels }) => {
      const running = pods.filter(p => p.namespace === name && mayBeCaptured(p));
      return {
        name,
        mode: labels[DATAPLANE_MODE] ?? 'none',
        pods: running.length,
        captured: running.filter(p => p.annotations[REDIRECTION] === 'enabled').length,
        waypoint: labels[USE_WAYPOINT] ?? 'None',
      };
    })
    .filter(e => all || e.mode === 'ambient' || e.captured > 0);
  return {
    header: ['NAMESPACE', 'MODE', 'CAPTURED', 'WAYPOINT'],
    rows: entries.map(e => [e.name, e.mode, `${e.captured}/${e.pods}`, e.waypoint]),
    data: entries,
    empty: 'no namespace is in the mesh; add one with: ambientctl namespace add NAME',
  };
}
