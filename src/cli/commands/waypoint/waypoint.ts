import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { type Cli, print } from '../../cli.ts';
import {
  type ClusterOptions,
  type CommonOptions,
  parseSeconds,
  withClusterOptions,
  withCommonOptions,
  withNamespace,
  withNamespaceFilter,
  withOutput,
} from '../../options.ts';
import { findProxies } from '../../proxies.ts';
import type { OutputFormat } from '../../render/output.ts';
import { applyWaypoint } from './apply.ts';
import { deleteWaypoints } from './delete.ts';
import { TRAFFIC_TYPES, type TrafficType, waypointGateway, type WaypointSpec } from './gateway.ts';
import { waypointList } from './list.ts';
import { waypointStatus } from './status.ts';

interface SpecOptions extends ClusterOptions {
  readonly name: string;
  readonly for?: TrafficType;
  readonly revision?: string;
}

/** `ambientctl waypoint …` */
export function addWaypointCommands(program: Command, cli: Cli): void {
  const group = program.command('waypoint').description('waypoints');
  addApply(group, cli);
  addGenerate(group, cli);
  const list = group.command('list').description('waypoints and whether they are programmed');
  withNamespaceFilter(withCommonOptions(list)).action(async (options: CommonOptions) =>
    print(
      cli,
      options,
      await waypointList(await findProxies('controller', options, cli), options.namespace, cli),
    ),
  );
  addStatus(group, cli);
  addDelete(group, cli);
}

function addApply(group: Command, cli: Cli): void {
  const command = group.command('apply').description('creates or changes a waypoint of a namespace');
  withSpec(command)
    .option('--enroll-namespace', 'the whole namespace uses it from now on')
    .option('--overwrite', 'with --enroll-namespace: also when the namespace uses another one')
    .option('--wait', 'until it is ready')
    .option('--timeout <seconds>', 'with --wait: for how long', parseSeconds, 90)
    .action(
      async (
        options: SpecOptions & { enrollNamespace?: true; overwrite?: true; wait?: true; timeout: number },
      ) => {
        const { api } = await cli.openCluster(options, cli.env);
        const how = {
          enrollNamespace: options.enrollNamespace === true,
          overwrite: options.overwrite === true,
          waitMs: options.wait === true ? options.timeout * 1_000 : undefined,
        };
        await applyWaypoint(specOf(options, options.namespace ?? api.namespace), how, api, cli);
      },
    );
}

function addGenerate(group: Command, cli: Cli): void {
  withSpec(group.command('generate').description('the Gateway of a waypoint, for kubectl apply -f -')).action(
    (options: SpecOptions) =>
      cli.stdout(stringify(waypointGateway(specOf(options, options.namespace ?? 'default')))),
  );
}

function addStatus(group: Command, cli: Cli): void {
  const command = group
    .command('status')
    .description('conditions of waypoints')
    .argument('[name]', 'all without');
  withNamespaceFilter(withClusterOptions(withOutput(command))).action(
    async (name: string | undefined, options: ClusterOptions & { output: OutputFormat }) => {
      const { api } = await cli.openCluster(options, cli.env);
      print(cli, options, await waypointStatus(options.namespace, name, api));
    },
  );
}

function addDelete(group: Command, cli: Cli): void {
  const command = group
    .command('delete')
    .description('deletes waypoints that nothing uses')
    .argument('[name...]', 'their names')
    .option('--all', 'all of the namespace')
    .option('--force', 'also those in use, whose traffic is refused then');
  withNamespace(withClusterOptions(command)).action(
    async (names: string[], options: ClusterOptions & { all?: true; force?: true }) => {
      const { api } = await cli.openCluster(options, cli.env);
      const how = { names, all: options.all === true, force: options.force === true };
      await deleteWaypoints(options.namespace ?? api.namespace, how, api, cli);
    },
  );
}

function withSpec(command: Command): Command {
  return withNamespace(withClusterOptions(command))
    .option('--name <name>', 'its name', 'waypoint')
    .addOption(new Option('--for <traffic>', 'what passes it; without it: service').choices(TRAFFIC_TYPES))
    .option('--revision <name>', 'label istio.io/rev');
}

function specOf(options: SpecOptions, namespace: string): WaypointSpec {
  return { namespace, name: options.name, trafficType: options.for, revision: options.revision };
}
