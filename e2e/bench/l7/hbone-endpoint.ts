/** The endpoint as a program of its own, beside wrk and h2load: `node hbone-endpoint.ts MATERIAL LISTEN_IP`. The same for every contender. */
import { systemClock } from '#shared/lifecycle/clock.ts';
import { createPeerEngine, readMaterial } from '../peer-engine.ts';
import { HBONE_PORT } from './address-plan.ts';
import { serveEndpoint } from './endpoint.ts';

const [materialPath = '', listenIp = ''] = process.argv.slice(2);
const engine = createPeerEngine();
const context = engine.createTlsContext(readMaterial(materialPath));
await serveEndpoint(engine, systemClock, context, { ip: listenIp, port: HBONE_PORT, backlog: 4096 });
