import { fetchJson } from '../../admin-client.ts';
import { askFirst } from '../../ask-proxies.ts';
import type { CliIo } from '../../cli.ts';
import { isJsonObject } from '#shared/config/json.ts';
import { children, text } from '#shared/config/json-fields.ts';
import type { ProxyRef } from '../../proxies.ts';
import type { Report } from '../../render/output.ts';

/** The waypoints the controller knows, and whether each has an endpoint that is ready. */
export async function waypointList(
  controllers: readonly ProxyRef[],
  namespace: string | undefined,
  io: CliIo,
): Promise<Report> {
  const { answer } = await askFirst(controllers, c => fetchJson(c.admin, '/debug/waypoints'), io);
  return waypointReport(answer, namespace);
}

function waypointReport(answer: unknown, namespace: string | undefined): Report {
  const all = isJsonObject(answer) ? children(answer, 'waypoints') : [];
  const waypoints = all
    .filter(w => namespace === undefined || text(w, 'namespace') === namespace)
    .sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return {
    header: ['NAMESPACE', 'NAME', 'REVISION', 'TRAFFIC TYPE', 'PROGRAMMED'],
    rows: waypoints.map(w => [
      text(w, 'namespace'),
      text(w, 'name'),
      text(w, 'revision') || 'default',
      text(w, 'trafficType') || 'service',
      w['programmed'] === true ? 'True' : 'False',
    ]),
    data: waypoints,
    empty: namespace === undefined ? 'no waypoints' : `no waypoints in namespace ${namespace}`,
  };
}

function key(waypoint: Parameters<typeof text>[0]): string {
  return `${text(waypoint, 'namespace')}/${text(waypoint, 'name')}`;
}
