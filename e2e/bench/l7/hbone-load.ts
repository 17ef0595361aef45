/**
 * Load and endpoint in one program on one thread, so that nothing but the measured waypoint stands between a request and its answer:
 * `node hbone-load.ts MATERIAL WAYPOINT_IP ENDPOINT_IP ENDPOINT_NETNS CONTROL_PATH`. Requests go out in HBONE and end in HBONE. Runs are asked
 * for over the socket at CONTROL_PATH, one line of JSON each way. The same for every contender.
 */
import { createServer } from 'node:net';
import { createThreadNativeEngine } from '#shared/engine/native/native-engine.ts';
import { openNetns, runInNetns } from '#shared/native/netns.ts';
import { bindSocket, openTcpSocket, setIntOption } from '#shared/native/socket.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { HttpLoad } from '../load.ts';
import { readMaterial } from '../peer-engine.ts';
import { HBONE_PORT, serviceOf } from './address-plan.ts';
import { edgeTunnels } from './edge-tunnels.ts';
import { serveEndpoint } from './endpoint.ts';
import { parseLoadSpec } from './load/load-spec.ts';
import { runLoad } from './load/run-load.ts';

const [materialPath = '', waypointIp = '', endpointIp = '', endpointNetns = '', controlPath = ''] =
  process.argv.slice(2);
const { engine, clock } = createThreadNativeEngine({}, undefined);
const { defer = queueMicrotask } = engine;
const context = engine.createTlsContext(readMaterial(materialPath));
const open = edgeTunnels(engine, clock, context, waypointIp);

/** A socket stays in the namespace it was made in. */
function bindInNetns(path: string, ip: string, port: number): number {
  const netns = openNetns(path);
  return runInNetns(netns.fd, () => {
    const fd = openTcpSocket(4);
    setIntOption(fd, 'reuseAddress', 1);
    bindSocket(fd, { ip, port });
    return fd;
  });
}

async function answer(request: string): Promise<HttpLoad | { readonly error: string }> {
  try {
    const spec = parseLoadSpec(request);
    const { edgePort, vip } = serviceOf(spec);
    return await runLoad(spec, {
      open: () => open(vip),
      clock,
      defer,
      authority: `${waypointIp}:${edgePort}`,
    });
  } catch (error) {
    return { error: errorMessage(error) };
  }
}

await serveEndpoint(engine, clock, context, { fd: bindInNetns(endpointNetns, endpointIp, HBONE_PORT) });
createServer({ allowHalfOpen: true }, socket => {
  let request = '';
  socket.setEncoding('utf8').on('data', (text: string) => (request += text));
  socket.on('end', () => void answer(request).then(result => socket.end(JSON.stringify(result))));
  // Who asks and goes away is told nothing.
  socket.on('error', () => socket.destroy());
}).listen(controlPath);
