import type { PathNormalization } from '#shared/route/path.ts';
import { MESH_CONFIG_NAME } from '../translate/mesh-config/mesh-config.ts';
import type { MeshObjects } from './mesh-objects.ts';

/** Of the whole mesh. */
export function pathNormalization({ meshConfigs, options }: MeshObjects): PathNormalization {
  return meshConfigs.get(options.rootNamespace, MESH_CONFIG_NAME)?.value.pathNormalization ?? 'base';
}
