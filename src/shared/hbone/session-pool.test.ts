import type { CancelSignal } from '../lifecycle/cancellation.ts';
import { createHash, randomBytes } from 'node:crypto';
import { type Test, test } from 'tap';
import { type ByteChannel, ChannelError } from '../engine/channel.ts';
import { copyBidirectional } from '../engine/copy.ts';
import type { TcpChannel } from '../engine/engine.ts';
import { createHboneMesh, type HboneMesh, SERVER_ID } from '../testing/hbone-mesh.ts';
import { ChannelRecorder } from '../testing/loopback.ts';
import type { HbonePoolOptions } from './session-pool.ts';

async function mesh(t: Test, options: Partial<HbonePoolOptions> = {}): Promise<HboneMesh> {
  const made = await createHboneMesh(options);
  t.teardown(async () => {
    await made.close();
    if (made.clock.pendingTimers > 0) throw new Error(`${made.clock.pendingTimers} timers are left`);
  });
  return made;
}

/** Accepts every tunnel and sends back what comes. */
function echo(made: HboneMesh): ByteChannel[] {
  const accepted: ByteChannel[] = [];
  made.onConnect = connect => {
    const channel = connect.accept();
    accepted.push(channel);
    channel.setHandler({
      onData: slice => void channel.write(slice),
      onEnd: () => channel.end(),
      onDrain() {},
      onClose() {},
    });
  };
  return accepted;
}

test('a tunnel carries bytes and half-closes both ways', async t => {
  const made = await mesh(t);
  const requests: unknown[] = [];
  echo(made);
  const accept = made.onConnect;
  made.onConnect = connect => {
    requests.push(connect.request.authority, connect.peerIdentity);
    accept(connect);
  };
  const tunnel = await made.pool.connect(made.target);
  const end = new ChannelRecorder(tunnel);
  tunnel.write(Buffer.from('hello'));
  tunnel.end();
  t.equal(await end.close(), undefined);
  t.equal(end.text, 'hello');
  t.equal(tunnel.peerIdentity, SERVER_ID);
  t.same(requests, ['10.0.0.1:80', made.target.sourceIdentity]);
});

test('an abort on either side is a reset on the other', async t => {
  const made = await mesh(t);
  const accepted = echo(made);
  for (const side of ['client', 'server'] as const) {
    const tunnel = await made.pool.connect(made.target);
    const end = new ChannelRecorder(tunnel);
    const server = accepted.at(-1);
    if (server === undefined) throw new Error('no tunnel was accepted');
    const other = new ChannelRecorder(server);
    (side === 'client' ? tunnel : server).abort(new ChannelError('policy', 'cut'));
    t.equal((await end.close())?.code, side === 'client' ? 'policy' : 'reset');
    t.equal((await other.close())?.code, side === 'client' ? 'reset' : 'policy');
  }
  t.equal(made.sessions.length, 1, 'the connection is none the worse for it');
});

test('refusals reach the caller with their status', async t => {
  const made = await mesh(t);
  for (const [status, code] of [
    [400, 'unreachable'],
    [401, 'policy'],
    [503, 'unreachable'],
  ] as const) {
    made.onConnect = connect => connect.refuse(status, 'because');
    await t.rejects(made.pool.connect(made.target), { name: 'ConnectRefusedError', status, code });
  }
  made.onConnect = connect => connect.refuse(503, 'because', true);
  await t.rejects(made.pool.connect(made.target), {
    status: 503,
    message: /refused with 503: it has as many connections there as it may$/,
  });
  t.equal(made.sessions[0]?.openStreams, 0);
});

test('many callers share one handshake; more than a connection takes get another one', async t => {
  const made = await mesh(t, { maxStreamsPerConnection: 10 });
  echo(made);
  const tunnels = await Promise.all(Array.from({ length: 25 }, () => made.pool.connect(made.target)));
  t.equal(made.sessions.length, 3);
  t.same(
    made.pool
      .sessions()
      .map(s => s.openStreams)
      .sort((a, b) => b - a),
    [10, 10, 5],
  );
  t.equal(made.pool.waiting, 0);
  const ends = tunnels.map(tunnel => new ChannelRecorder(tunnel));
  for (const tunnel of tunnels) tunnel.end();
  await Promise.all(ends.map(e => e.close()));
});

test('64 tunnels move random data at once, and a stalled one holds up no other', async t => {
  const made = await mesh(t);
  const stalled: ByteChannel[] = [];
  made.onConnect = connect => {
    const channel = connect.accept();
    if (connect.request.port === 81) {
      stalled.push(channel);
      return;
    }
    channel.setHandler({
      onData: slice => {
        if (!channel.write(slice)) channel.pause();
      },
      onEnd: () => channel.end(),
      onDrain: () => channel.resume(),
      onClose() {},
    });
  };
  const stuck = await made.pool.connect({ ...made.target, request: { host: '10.0.0.1', port: 81 } });
  const stuckEnd = new ChannelRecorder(stuck);
  const block = Buffer.alloc(64 * 1024);
  for (let i = 0; i < 80; i++) if (!stuck.write(block)) break;
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      const tunnel = await made.pool.connect(made.target);
      const end = new ChannelRecorder(tunnel);
      const [sent, received] = [createHash('sha256'), createHash('sha256')];
      end.onSlice = slice => void received.update(slice);
      for (let i = 0; i < 20; i++) {
        const data = randomBytes(20_000);
        sent.update(data);
        const drains = end.drains;
        if (!tunnel.write(data)) await end.until(() => end.drains > drains || end.closed);
      }
      tunnel.end();
      if ((await end.close()) !== undefined) t.fail(end.error?.message ?? 'closed');
      if (received.digest('hex') !== sent.digest('hex')) t.fail('the data came back changed');
    }),
  );
  t.ok(stuck.bufferedBytes < 5_000_000, 'what waits is bounded');
  stuck.abort(new ChannelError('aborted', 'end of test'));
  await stuckEnd.close();
});

test('a peer that proves to be someone else is not used', async t => {
  const made = await mesh(t);
  const wrong = { ...made.target, destinationIdentities: ['spiffe://cluster.local/ns/shop/sa/other'] };
  await t.rejects(made.pool.connect(wrong), { code: 'tls_handshake', message: /proved to be .*sa\/server/ });
  await t.rejects(made.pool.connect({ ...made.target, destinationIdentities: [] }), {
    code: 'tls_handshake',
  });
});

test('after a failure the next attempt waits, longer each time, and callers share it', async t => {
  let dials = 0;
  const made = await mesh(t, {
    dial: () => {
      dials++;
      return Promise.reject(new ChannelError('connect_refused', 'nobody there'));
    },
  });
  const refused = { code: 'connect_refused' };
  await t.rejects(made.pool.connect(made.target), refused);
  t.equal(dials, 1);
  for (const delayMs of [100, 200]) {
    const waiting = [made.pool.connect(made.target), made.pool.connect(made.target)];
    made.clock.advance(delayMs - 1);
    t.equal(dials, delayMs === 100 ? 1 : 2, 'not before the backoff is over');
    made.clock.advance(1);
    for (const attempt of waiting) await t.rejects(attempt, refused);
  }
  t.equal(dials, 3);
  made.clock.advance(10_000);
  t.same(made.pool.sessions(), []);
});

test('who would wait long for a dead peer gets its last error at once; the peer is dialled no more often', async t => {
  let dials = 0;
  const made = await mesh(t, {
    dial: () => {
      dials++;
      return Promise.reject(new ChannelError('connect_refused', 'nobody there'));
    },
  });
  const refused = { code: 'connect_refused', message: 'nobody there' };
  await t.rejects(made.pool.connect(made.target), refused);
  for (const delayMs of [100, 200]) {
    const waiting = made.pool.connect(made.target);
    made.clock.advance(delayMs);
    await t.rejects(waiting, refused);
  }
  for (let i = 0; i < 3; i++) {
    await t.rejects(made.pool.connect(made.target), {
      code: 'connect_refused',
      message: 'nobody there (tried a moment ago; next attempt in 400 ms)',
    });
  }
  t.equal(dials, 3);
  t.equal(made.pool.waiting, 0);
  made.clock.advance(200);
  const waiting = made.pool.connect(made.target);
  t.equal(made.pool.waiting, 1, 'the next attempt is near');
  made.clock.advance(200);
  await t.rejects(waiting, refused);
  t.equal(dials, 4);
  await t.rejects(made.pool.connect(made.target), { message: /next attempt in 800 ms/ });
  made.clock.advance(10_000);
  t.same(made.pool.sessions(), []);
});

test('a caller waits no longer than its deadline, and can give up', async t => {
  const made = await mesh(t, { dial: () => new Promise(() => {}), maxWaiters: 2 });
  const controller = new AbortController();
  const given = made.pool.connect(made.target, controller.signal);
  const late = made.pool.connect(made.target);
  await t.rejects(made.pool.connect(made.target), { code: 'resource_exhausted' });
  controller.abort();
  await t.rejects(given, { code: 'aborted' });
  t.equal(made.pool.waiting, 1);
  made.clock.advance(10_000);
  await t.rejects(late, { code: 'connect_timeout' });
  t.equal(made.pool.waiting, 0);
  made.clock.advance(10_000);
});

test('a caller gives up a tunnel that is not answered', async t => {
  const made = await mesh(t);
  const arrived = Promise.withResolvers<CancelSignal>();
  made.onConnect = connect => arrived.resolve(connect.signal);
  const controller = new AbortController();
  const tunnel = made.pool.connect(made.target, controller.signal);
  const signal = await arrived.promise;
  const aborted = new Promise<void>(resolve => signal.addEventListener('abort', resolve, { once: true }));
  controller.abort();
  await t.rejects(tunnel, { code: 'aborted' });
  await aborted;
  t.pass('the server learns of it');
});

test('a tunnel that was not answered when its connection died is opened once more', async t => {
  const made = await mesh(t);
  let requests = 0;
  made.onConnect = connect => {
    requests++;
    if (requests === 1) made.sessions[0]?.close(new ChannelError('io', 'crash'));
    else connect.accept();
  };
  const tunnel = await made.pool.connect(made.target);
  t.equal(made.sessions.length, 2);
  t.match(made.pool.sessions().at(-1), { state: 'ready', openStreams: 1 }, 'on a session the pool knows of');
  tunnel.abort(new ChannelError('aborted', 'done'));
  made.onConnect = () => made.sessions.at(-1)?.close(new ChannelError('io', 'crash'));
  await t.rejects(made.pool.connect(made.target), { code: 'reset' }, 'but only once');
});

test('a draining peer gets no new tunnels, and keeps the old ones', async t => {
  const made = await mesh(t);
  const accepted = echo(made);
  const first = new ChannelRecorder(await made.pool.connect(made.target));
  made.sessions[0]?.drain();
  // The GOAWAY has arrived when what was sent behind it has.
  accepted[0]?.write(Buffer.from('x'));
  t.equal(first.channel.isRetiring, false, 'not heard of yet');
  await first.received(1);
  t.equal(first.channel.isRetiring, true, 'who keeps it for later work can see it');
  const second = new ChannelRecorder(await made.pool.connect(made.target));
  t.equal(made.sessions.length, 2);
  first.channel.write(Buffer.from('still here'));
  await first.received(11);
  for (const end of [first, second]) {
    end.channel.end();
    t.equal(await end.close(), undefined);
  }
});

test('a removed workload and a renewed certificate end the use of a session, not its tunnels', async t => {
  const made = await mesh(t);
  echo(made);
  const ends: ChannelRecorder[] = [];
  const open = async (): Promise<void> => {
    ends.push(new ChannelRecorder(await made.pool.connect(made.target)));
  };
  await open();
  made.pool.evictWorkload('another');
  await open();
  t.equal(made.sessions.length, 1);
  made.pool.evictIdentity(made.target.sourceIdentity);
  await open();
  t.equal(made.sessions.length, 2, 'a new handshake with the new certificate');
  made.pool.evictWorkload(made.target.workloadUid);
  await open();
  t.equal(made.sessions.length, 3);
  t.same(
    made.pool.sessions().map(s => s.state),
    ['draining', 'draining', 'ready'],
  );
  for (const end of ends) {
    end.channel.write(Buffer.from('alive'));
    await end.received(5);
    end.channel.end();
    t.equal(await end.close(), undefined);
  }
});

test('an idle session is closed after five minutes', async t => {
  const made = await mesh(t, { http2: { pingIntervalMs: 0 } });
  echo(made);
  const end = new ChannelRecorder(await made.pool.connect(made.target));
  // A round trip, so that SETTINGS are acknowledged both ways before time jumps.
  end.channel.write(Buffer.from('x'));
  await end.received(1);
  made.clock.advance(600_000);
  t.equal(made.pool.sessions().length, 1, 'not while it has a tunnel');
  end.channel.end();
  await end.close();
  made.clock.advance(299_999);
  t.equal(made.pool.sessions()[0]?.state, 'ready');
  made.clock.advance(300_001);
  t.not(made.pool.sessions()[0]?.state, 'ready');
});

test('a drained pool refuses and ends with its last tunnel', async t => {
  const made = await mesh(t);
  echo(made);
  const end = new ChannelRecorder(await made.pool.connect(made.target));
  const drained = made.pool.drain();
  await t.rejects(made.pool.connect(made.target), { code: 'drain' });
  end.channel.end();
  t.equal(await end.close(), undefined);
  await drained;
});

test('what is not a CONNECT is refused with 400, and the reason is told here only', async t => {
  const made = await mesh(t);
  const request = { host: '10.0.0.400', port: 80 };
  await t.rejects(made.pool.connect({ ...made.target, request }), {
    name: 'ConnectRefusedError',
    status: 400,
  });
  t.match(made.badRequests, [/^400 the authority/]);
});

test('a pool that is closed dials nobody for a tunnel that was not answered yet', async t => {
  let dials = 0;
  const made: HboneMesh = await mesh(t, {
    dial: (remote, signal) => {
      dials++;
      return made.engine.connect({ remote, timeoutMs: 5_000 }, signal);
    },
  });
  const asked = new Promise<void>(resolve => (made.onConnect = () => resolve()));
  const tunnel = made.pool.connect(made.target);
  await asked;
  // The sockets of a closed pool's workload are made with a descriptor that another workload may have by then.
  made.pool.close(new ChannelError('drain', 'the workload left the mesh'));
  await t.rejects(tunnel, { code: 'drain', message: 'the workload left the mesh' });
  t.equal(dials, 1);
  t.equal(made.pool.waiting, 0);
});

test('a peer whose certificate has expired takes no new tunnels on an old connection', async t => {
  const made = await mesh(t, { http2: { pingIntervalMs: 0 } });
  echo(made);
  const end = new ChannelRecorder(await made.pool.connect(made.target));
  end.channel.write(Buffer.from('x'));
  await end.received(1);
  made.clock.advance(25 * 3_600_000);
  end.channel.write(Buffer.from('y'));
  await end.received(2);
  t.match(made.pool.sessions(), [{ state: 'draining' }], 'open tunnels live on');
  await t.rejects(made.pool.connect(made.target), { code: 'tls_handshake' });
  end.channel.end();
  t.equal(await end.close(), undefined);
});

test('a machine that slept beyond the end of a peer’s certificate: no new tunnels on the old connection within a minute', async t => {
  const made = await mesh(t, { http2: { pingIntervalMs: 0 } });
  echo(made);
  const end = new ChannelRecorder(await made.pool.connect(made.target));
  // Nothing is on its way any more (SETTINGS, and that they were understood), for which the time would be over.
  end.channel.write(Buffer.from('w'));
  await end.received(1);
  made.clock.jumpWallClock(-5 * 3_600_000);
  made.clock.advance(60_000);
  end.channel.write(Buffer.from('x'));
  await end.received(2);
  t.match(made.pool.sessions(), [{ state: 'ready' }], 'a clock that is set back ends none');
  made.clock.jumpWallClock(35 * 3_600_000);
  made.clock.advance(60_000);
  end.channel.write(Buffer.from('y'));
  await end.received(3);
  t.match(made.pool.sessions(), [{ state: 'draining' }]);
  end.channel.end();
  t.equal(await end.close(), undefined);
});

test('the queue of those who wait for a session has a bound', async t => {
  const made = await mesh(t, { maxWaiters: 2, dial: () => new Promise(() => {}) });
  const waiting = [made.pool.connect(made.target), made.pool.connect(made.target)];
  await t.rejects(made.pool.connect(made.target), { code: 'resource_exhausted' });
  t.equal(made.pool.waiting, 2);
  made.clock.advance(10_000);
  for (const one of waiting) await t.rejects(one, { code: 'connect_timeout' });
  t.equal(made.pool.waiting, 0);
});

test('a tunnel that is opened once more because the peer was reset is on a session the pool knows of', async t => {
  const made = await mesh(t);
  const dialled: TcpChannel[] = [];
  const listener = await made.engine.listen({ ip: '127.0.0.1', port: 0 }, front => {
    const [ip, port] = [made.target.remote.ip, made.target.remote.port];
    void made.engine.connect({ remote: { ip, port }, timeoutMs: 5_000 }).then(back => {
      dialled.push(front);
      copyBidirectional(front, back, { clock: made.clock, halfClosedTimeoutMs: 0, onClose: () => {} });
    });
  });
  let requests = 0;
  made.onConnect = connect => {
    requests++;
    if (requests === 1) dialled[0]?.abort(new ChannelError('reset', 'the machine is gone'));
    else connect.accept();
  };
  const tunnel = await made.pool.connect({ ...made.target, remote: listener.address });
  t.equal(requests, 2);
  t.match(made.pool.sessions(), [{ state: 'ready', openStreams: 1 }]);
  made.pool.evictWorkload(made.target.workloadUid);
  t.match(made.pool.sessions(), [{ state: 'draining' }]);
  tunnel.abort(new ChannelError('aborted', 'done'));
  await listener.close();
});
