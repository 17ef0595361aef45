import { CliError } from '../../cli-error.ts';
import type { CliIo } from '../../cli.ts';
import type { KubeApi } from '../../cluster/kube-api.ts';
import { GATEWAY, NAMESPACE, POD, SERVICE } from '../../cluster/kinds.ts';
import { fullName, type KubeObject } from '../../cluster/kube-object.ts';
import { isWaypoint } from './gateway.ts';
import { waypointUsers } from './users.ts';

export interface DeleteOptions {
  readonly names: readonly string[];
  readonly all: boolean;
  readonly force: boolean;
}

/** Deletes waypoints that nobody asks for; with `force` the others too, whose traffic is then refused. */
export async function deleteWaypoints(
  namespace: string,
  options: DeleteOptions,
  api: KubeApi,
  io: CliIo,
): Promise<void> {
  const found = ((await api.list(GATEWAY, { namespace })) ?? []).filter(isWaypoint);
  const chosen = chooseWaypoints(namespace, found, options);
  const lists = await Promise.all([NAMESPACE, SERVICE, POD].map(kind => api.list(kind)));
  const objects = lists.flatMap(list => list ?? []);
  for (const waypoint of chosen) {
    const users = waypointUsers(waypoint, objects);
    if (users.length > 0 && !options.force) {
      throw new CliError(
        `waypoint ${fullName(waypoint)} is used by ${shortList(users)}: their traffic would be refused; remove their label istio.io/use-waypoint first, or give --force`,
      );
    }
  }
  for (const waypoint of chosen) {
    const isGone = await api.remove(GATEWAY, waypoint.namespace, waypoint.name);
    io.stdout(`waypoint ${fullName(waypoint)} ${isGone ? 'deleted' : 'was gone already'}\n`);
  }
  if (chosen.length === 0) io.stdout(`no waypoints in namespace ${namespace}\n`);
}

function chooseWaypoints(
  namespace: string,
  found: readonly KubeObject[],
  { all, names }: DeleteOptions,
): readonly KubeObject[] {
  if (all === names.length > 0) throw new CliError('name the waypoints to delete, or give --all', 2);
  if (all) return found;
  return names.map(name => {
    const waypoint = found.find(w => w.name === name);
    if (waypoint !== undefined) return waypoint;
    throw new CliError(
      `there is no waypoint ${namespace}/${name}; there are: ${found.map(w => w.name).join(', ') || 'none'}`,
    );
  });
}

const SHOWN = 5;

function shortList(items: readonly string[]): string {
  const more = items.length - SHOWN;
  return items.slice(0, SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
