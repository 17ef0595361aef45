import type { Board } from './board.ts';
import { CONTROL_PLANE } from './boards/control-plane.ts';
import { MESH } from './boards/mesh.ts';
import { SERVICE_BOARD } from './boards/service.ts';
import { WORKLOAD } from './boards/workload.ts';
import { ZTUNNEL } from './boards/ztunnel.ts';

/** Where the chart takes them from, and people who import them by hand. */
export const DIRECTORY = 'charts/ambient/dashboards';

export const BOARDS: readonly Board[] = [MESH, SERVICE_BOARD, WORKLOAD, ZTUNNEL, CONTROL_PLANE];
