/**
 * The smallest forwarder over the real modules (engine, HBONE, copy loop), so that the data path can be measured and
 * profiled apart from policy, capture and telemetry. Started by the benchmark as a process of its own:
 * `tunnel-pair.ts outbound|inbound <config.json>`.
 */
import { readFileSync } from 'node:fs';
import { copyBidirectional } from '#shared/engine/copy.ts';
import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import type { TlsMaterial } from '#shared/engine/engine.ts';
import { createNodeEngine, type NodeEngine } from '#shared/engine/node/node-engine.ts';
import type { InboundConnect } from '#shared/hbone/inbound-connect.ts';
import { HbonePool } from '#shared/hbone/session-pool.ts';
import { serveHbone } from '#shared/hbone/server.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';

/** Written by the benchmark itself, for its own processes. */
export interface PairConfig {
  readonly listenIp: string;
  /** Outbound: plain ports, forwarded to the same port behind the other end. Inbound: the HBONE port alone. */
  readonly ports: readonly number[];
  /** Outbound: where the other end's HBONE listens. */
  readonly hbone: { readonly ip: string; readonly port: number };
  /** Inbound: where the applications are. */
  readonly applicationIp: string;
  readonly material: TlsMaterial;
  readonly identity: string;
}

const ignore = { clock: systemClock, onClose(): void {} };

async function outbound(engine: NodeEngine, config: PairConfig): Promise<void> {
  const context = engine.createTlsContext(config.material);
  const pool = new HbonePool({
    engine,
    clock: systemClock,
    random: Math.random,
    dial: (remote, signal) => engine.connect({ remote, timeoutMs: 10_000 }, signal),
    tlsContext: () => context,
  });
  for (const port of config.ports) {
    const target = {
      sourceIdentity: config.identity,
      destinationIdentities: [config.identity],
      remote: config.hbone,
      workloadUid: 'bench',
      request: { host: config.applicationIp, port },
    };
    await engine.listen({ ip: config.listenIp, port, sharedReads: true }, downstream => {
      pool.connect(target).then(
        upstream => copyBidirectional(downstream, upstream, ignore),
        error => fail(downstream, error),
      );
    });
  }
}

async function inbound(engine: NodeEngine, config: PairConfig): Promise<void> {
  const context = engine.createTlsContext(config.material);
  const [port = 15008] = config.ports;
  await engine.listen({ ip: config.listenIp, port }, channel => {
    void engine.secureServer(channel, context, { alpn: ['h2'], timeoutMs: 10_000, verifyPeer: true }).then(
      secured => serveHbone(secured, { clock: systemClock, onConnect: connect => serve(engine, connect) }),
      // A port probe of the benchmark, which never speaks TLS.
      () => {},
    );
  });
}

function serve(engine: NodeEngine, connect: InboundConnect): void {
  const remote = { ip: connect.request.host, port: connect.request.port };
  engine.connect({ remote, timeoutMs: 10_000 }, connect.signal).then(
    upstream => copyBidirectional(connect.accept(), upstream, ignore),
    () => connect.refuse(503, 'not reachable'),
  );
}

function fail(channel: ByteChannel, error: unknown): void {
  channel.abort(error instanceof ChannelError ? error : new ChannelError('io', String(error)));
}

const [role, path = ''] = process.argv.slice(2);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own file, written by the parent process
const config = JSON.parse(readFileSync(path, 'utf8')) as PairConfig;
const engine = createNodeEngine({ clock: systemClock });
await (role === 'inbound' ? inbound(engine, config) : outbound(engine, config));
process.on('SIGTERM', () => process.exit(0));
console.log('ready');
