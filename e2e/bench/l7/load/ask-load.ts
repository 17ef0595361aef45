import { createConnection } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { HttpLoad } from '../../load.ts';
import { type LoadSpec, parseLoadResult } from './load-spec.ts';

/** Of the load program beside the waypoint with this address. */
export function controlPathOf(directory: string, waypointIp: string): string {
  return join(directory, `load-${waypointIp}.sock`);
}

/** Lets the load program at this socket run. Rejects when it cannot be reached, and when the run failed. */
export async function askLoad(controlPath: string, spec: LoadSpec): Promise<HttpLoad> {
  const socket = createConnection(controlPath);
  socket.end(JSON.stringify(spec));
  return parseLoadResult(await text(socket));
}
