import type { MeshView } from '#shared/workload/mesh-view.ts';
import type { Locality } from '#shared/workload/workload.ts';

/** Share of a waypoint's instances that are in its own zone, 0 to 1; undefined when they are not known. Pure. */
export function zoneShare(
  view: MeshView,
  waypoint: { readonly namespace: string; readonly hostname: string },
  { region, zone }: Locality,
): number | undefined {
  const instances = view.endpoints(`${waypoint.namespace}/${waypoint.hostname}`);
  const near = instances.filter(
    ({ workload: { locality } }) => locality.region === region && locality.zone === zone,
  );
  return near.length === 0 ? undefined : near.length / instances.length;
}
