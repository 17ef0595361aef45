/**
 * The endpoint of every service of the bench: it speaks HBONE itself and answers at once, so that it is never what is
 * measured. `node hbone-endpoint.ts MATERIAL LISTEN_IP`. The same for every contender.
 */
import type { InboundConnect } from '#shared/hbone/inbound-connect.ts';
import { serveHbone } from '#shared/hbone/server.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { HBONE_PORT, TARGET_PORTS } from './address-plan.ts';
import { answerHttp1 } from './answer-http1.ts';
import { answerHttp2 } from './answer-http2.ts';
import { createPeerEngine, readMaterial } from '../peer-engine.ts';

const [materialPath = '', listenIp = ''] = process.argv.slice(2);
const clock = systemClock;
const engine = createPeerEngine();
const context = engine.createTlsContext(readMaterial(materialPath));
const TLS = { alpn: ['h2'], timeoutMs: 10_000, verifyPeer: true };

function onConnect(connect: InboundConnect): void {
  const { port } = connect.request;
  if (port === TARGET_PORTS.h1) answerHttp1(connect.accept());
  else if (port === TARGET_PORTS.h2) answerHttp2(connect.accept(), clock, 'http');
  else if (port === TARGET_PORTS.grpc) answerHttp2(connect.accept(), clock, 'grpc');
  else connect.refuse(503, `nothing listens on ${port}`);
}

await engine.listen({ ip: listenIp, port: HBONE_PORT, backlog: 4096 }, channel => {
  engine.secureServer(channel, context, TLS).then(
    secured => serveHbone(secured, { clock, onConnect }),
    (error: unknown) => process.stderr.write(`${String(error)}\n`),
  );
});
