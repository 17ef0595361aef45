import { CliError } from '../../cli-error.ts';
import type { KubeApi } from '../../cluster/kube-api.ts';
import { GATEWAY } from '../../cluster/kinds.ts';
import { conditionsOf, type KubeObject } from '../../cluster/kube-object.ts';
import type { Report } from '../../render/output.ts';
import { isWaypoint } from './gateway.ts';

/** The conditions of waypoints, as the controller wrote them. */
export async function waypointStatus(
  namespace: string | undefined,
  name: string | undefined,
  api: KubeApi,
): Promise<Report> {
  const options = namespace === undefined ? {} : { namespace };
  const waypoints = ((await api.list(GATEWAY, options)) ?? []).filter(isWaypoint);
  const chosen = waypoints.filter(w => name === undefined || w.name === name);
  if (name !== undefined && chosen.length === 0) {
    const known = waypoints.map(w => w.name).join(', ') || 'none';
    throw new CliError(
      `there is no waypoint ${JSON.stringify(name)}${namespace === undefined ? '' : ` in namespace ${namespace}`}; there are: ${known}`,
    );
  }
  return statusReport(chosen);
}

export function statusReport(waypoints: readonly KubeObject[]): Report {
  return {
    header: ['NAMESPACE', 'NAME', 'STATUS', 'TYPE', 'REASON', 'MESSAGE'],
    rows: waypoints.flatMap(({ namespace, name, status }) => {
      const conditions = conditionsOf(status);
      return conditions.length === 0
        ? [[namespace, name, 'Unknown', '-', 'Pending', 'no controller has looked at it']]
        : conditions.map(c => [namespace, name, c.status, c.type, c.reason, c.message]);
    }),
    data: waypoints.map(w => w.raw),
    empty: 'no waypoints',
  };
}
