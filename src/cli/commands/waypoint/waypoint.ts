import type { Command } from 'commander';
import { type Cli, print } from '../../cli.ts';
import { type CommonOptions, withCommonOptions, withNamespaceFilter } from '../../options.ts';
import { findProxies } from '../../proxies.ts';
import { waypointList } from './list.ts';

/** `ambientctl waypoint …` */
export function addWaypointCommands(program: Command, cli: Cli): void {
  const group = program.command('waypoint').description('waypoints');
  const list = group.command('list').description('waypoints and whether they are programmed');
  withNamespaceFilter(withCommonOptions(list)).action(async (options: CommonOptions) =>
    print(cli, options, await waypointList(await findProxies('controller', options, cli), options.namespace)),
  );
}
