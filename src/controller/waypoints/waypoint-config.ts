import type { EnvReader } from '#shared/config/env-reader.ts';
import { VERSION } from '#shared/config/version.ts';
import { parseWaypointOptions, type WaypointOptions } from './waypoint-template.ts';

/** What is set of waypoints; the rest of a template follows from the mesh. */
export interface WaypointConfig {
  readonly image: string;
  readonly xdsAddress: string;
  readonly options: WaypointOptions;
}

export function readWaypointConfig(env: EnvReader, defaultXdsAddress: string): WaypointConfig {
  const text = env.string(
    'WAYPOINT_TEMPLATE',
    '{}',
    'how waypoints are made, JSON: replicas, autoscaling, resources, env, podAnnotations, imagePullPolicy, imagePullSecrets, nodeSelector, tolerations, priorityClassName, terminationGracePeriodSeconds',
  );
  return {
    image: env.string('WAYPOINT_IMAGE', `ambient-mesh:${VERSION}`, 'image of waypoints'),
    xdsAddress: env.string(
      'WAYPOINT_XDS_ADDRESS',
      defaultXdsAddress,
      'controller as waypoints reach it: host:port; default: istiod in the namespace of the controller',
    ),
    options: parseWaypointOptions(text, problem => env.reject('WAYPOINT_TEMPLATE', problem)),
  };
}
