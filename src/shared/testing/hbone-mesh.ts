import { ChannelError } from '../engine/channel.ts';
import type { Listener } from '../engine/engine.ts';
import type { MeasuredEngine } from '../engine/engine-options.ts';
import { createTestEngine } from './engine.ts';
import type { InboundConnect } from '../hbone/inbound-connect.ts';
import { HbonePool, type HbonePoolOptions, type HboneTarget } from '../hbone/session-pool.ts';
import { type HboneServerSession, serveHbone } from '../hbone/server.ts';
import { systemClock } from '../lifecycle/clock.ts';
import { FakeClock } from './fake-clock.ts';
import { createTestCa } from './test-ca.ts';

export const CLIENT_ID = 'spiffe://cluster.local/ns/shop/sa/client';
export const SERVER_ID = 'spiffe://cluster.local/ns/shop/sa/server';

/** An HBONE server and a client pool over real TLS on the loopback interface, everything timed by a fake clock. */
export interface HboneMesh {
  readonly engine: MeasuredEngine;
  readonly clock: FakeClock;
  readonly pool: HbonePool;
  readonly target: HboneTarget;
  /** Every connection the server has accepted, in order. */
  readonly sessions: HboneServerSession[];
  readonly badRequests: string[];
  onConnect: (connect: InboundConnect) => void;
  close(): Promise<void>;
}

export async function createHboneMesh(options: Partial<HbonePoolOptions> = {}): Promise<HboneMesh> {
  const clock = new FakeClock(Date.now());
  const engine = createTestEngine({ clock: { ...systemClock, now: () => clock.now() } });
  const ca = await createTestCa();
  const server = engine.createTlsContext(await ca.issue(SERVER_ID));
  const client = engine.createTlsContext(await ca.issue(CLIENT_ID));
  const sessions: HboneServerSession[] = [];
  const badRequests: string[] = [];
  let open = 0;
  const idle: (() => void)[] = [];
  const settle = (by: number): void => {
    open += by;
    if (open === 0) for (const resolve of idle.splice(0)) resolve();
  };
  const listener: Listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => {
    settle(1);
    engine
      .secureServer(channel, server, { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true })
      .then(secured => {
        sessions.push(
          serveHbone(secured, {
            clock,
            onConnect: connect => mesh.onConnect(connect),
            onBadRequest: (status, reason) => void badRequests.push(`${status} ${reason}`),
            onClose: () => settle(-1),
            // A clock that jumps would find PINGs unanswered.
            http2: { pingIntervalMs: 0 },
          }),
        );
      })
      .catch(() => settle(-1));
  });
  const pool = new HbonePool({
    engine,
    clock,
    random: () => 0.5,
    dial: (remote, signal) => engine.connect({ remote, timeoutMs: 5_000 }, signal),
    tlsContext: () => client,
    ...options,
  });
  const mesh: HboneMesh = {
    engine,
    clock,
    pool,
    target: {
      sourceIdentity: CLIENT_ID,
      destinationIdentities: [SERVER_ID],
      remote: listener.address,
      workloadUid: 'Kubernetes//Pod/shop/server',
      request: { host: '10.0.0.1', port: 80 },
    },
    sessions,
    badRequests,
    onConnect: connect => connect.refuse(503, 'no handler in this test'),
    async close() {
      const drained = pool.drain();
      pool.close(new ChannelError('aborted', 'end of test'));
      for (const session of sessions) session.close(new ChannelError('aborted', 'end of test'));
      await listener.close();
      await drained;
      if (open > 0) await new Promise<void>(resolve => idle.push(resolve));
    },
  };
  return mesh;
}
