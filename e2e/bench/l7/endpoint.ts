import type { Engine, Listener, ListenTarget, TlsContext } from '#shared/engine/engine.ts';
import type { InboundConnect } from '#shared/hbone/inbound-connect.ts';
import { serveHbone } from '#shared/hbone/server.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { TARGET_PORTS } from './address-plan.ts';
import { answerHttp1 } from './answer-http1.ts';
import { answerHttp2 } from './answer-http2.ts';

const TLS = { alpn: ['h2'], timeoutMs: 10_000, verifyPeer: true };

/** The endpoint of every service of the bench: it speaks HBONE itself and answers at once, so that it is never what is measured. */
export function serveEndpoint(
  engine: Engine,
  clock: Clock,
  context: TlsContext,
  target: ListenTarget,
): Promise<Listener> {
  return engine.listen(target, channel => {
    engine.secureServer(channel, context, TLS).then(
      secured => serveHbone(secured, { clock, onConnect }),
      (error: unknown) => process.stderr.write(`${String(error)}\n`),
    );
  });
}

function onConnect(connect: InboundConnect): void {
  const { port } = connect.request;
  if (port === TARGET_PORTS.h1) answerHttp1(connect.accept());
  else if (port === TARGET_PORTS.h2) answerHttp2(connect.accept(), 'http');
  else if (port === TARGET_PORTS.grpc) answerHttp2(connect.accept(), 'grpc');
  else connect.refuse(503, `nothing listens on ${port}`);
}
