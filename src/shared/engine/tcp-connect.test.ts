import { spawnSync } from 'node:child_process';
import { test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { getIntOption, openTcpSocket } from '../native/socket.ts';
import { EMULATED } from '../testing/emulated.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { ChannelRecorder, tcpPair } from '../testing/loopback.ts';
import type { ChannelError } from './channel.ts';
import { createTestEngine } from '../testing/engine.ts';

const engine = createTestEngine({ clock: systemClock });

test('a refused connection says so, names the peer and gives a hint', async t => {
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, () => {});
  await listener.close();
  const failure = engine.connect({ remote: listener.address, timeoutMs: 5_000 });
  await t.rejects(failure, {
    code: 'connect_refused',
    message: new RegExp(`127\\.0\\.0\\.1:${listener.address.port}.*nothing listens`),
  });
});

test('a connection without an answer ends at its deadline, by the injected clock', async t => {
  const clock = new FakeClock();
  const slow = createTestEngine({ clock });
  // TEST-NET-1 is never routed; where the machine refuses it at once there is nothing to time out.
  const attempt = slow.connect({ remote: { ip: '192.0.2.1', port: 9 }, timeoutMs: 1_000 });
  clock.advance(1_000);
  const error = await attempt.catch((e: ChannelError) => e);
  t.ok('code' in error && ['connect_timeout', 'unreachable'].includes(error.code));
  t.equal(clock.pendingTimers, 0);
});

test('an aborted signal ends the attempt', async t => {
  const controller = new AbortController();
  const target = { remote: { ip: '192.0.2.1', port: 9 }, timeoutMs: 60_000 };
  const attempt = engine.connect(target, controller.signal);
  controller.abort();
  await t.rejects(attempt, { code: 'aborted' });
  await t.rejects(engine.connect(target, controller.signal), { code: 'aborted' });
});

test('a descriptor is closed also when the attempt was given up before it began', async t => {
  const fd = openTcpSocket(4);
  t.doesNotThrow(() => getIntOption(fd, 'domain'));
  const target = { remote: { ip: '192.0.2.1', port: 9 }, timeoutMs: 60_000, fd };
  await t.rejects(engine.connect(target, AbortSignal.abort()), { code: 'aborted' });
  await new Promise(resolve => setImmediate(resolve));
  t.throws(() => getIntOption(fd, 'domain'), { code: 'EBADF' });
});

test('IPv6 and IPv4-mapped addresses are canonical', async t => {
  const accepted = Promise.withResolvers<ChannelRecorder>();
  const listener = await engine.listen({ ip: '::', port: 0 }, c => accepted.resolve(new ChannelRecorder(c)));
  const remote = { ip: '127.0.0.1', port: listener.address.port };
  const client = new ChannelRecorder(await engine.connect({ remote, timeoutMs: 5_000 }));
  const server = await accepted.promise;
  t.equal(server.channel.remoteAddress.ip, '127.0.0.1');
  t.equal(server.channel.localAddress.ip, '127.0.0.1');
  client.channel.end();
  server.channel.end();
  await Promise.all([client.close(), server.close(), listener.close()]);
});

test('the descriptor is there while the connection lives', async t => {
  const { client, server } = await tcpPair(engine, '::1');
  const a = new ChannelRecorder(client);
  const b = new ChannelRecorder(server);
  t.ok(client.fd > 2 && server.fd > 2 && client.fd !== server.fd);
  t.equal(client.remoteAddress.ip, '::1');
  client.end();
  server.end();
  await Promise.all([a.close(), b.close()]);
  t.equal(client.fd, -1);
});

test('a handler that throws costs its own connection only', async t => {
  const errors: ChannelError[] = [];
  const strict = createTestEngine({ clock: systemClock, onAcceptError: error => errors.push(error) });
  const listener = await strict.listen({ ip: '127.0.0.1', port: 0 }, () => {
    throw new Error('handler bug');
  });
  for (let i = 0; i < 2; i++) {
    // The reset may overtake the end of the client's own connect.
    const outcome = await strict
      .connect({ remote: listener.address, timeoutMs: 5_000 })
      .then(client => new ChannelRecorder(client).close())
      .catch((e: ChannelError) => e);
    t.equal(outcome?.code, 'reset');
  }
  t.equal(errors.length, 2);
  t.match(errors[0]?.message, /handler of connection from 127\.0\.0\.1:\d+: handler bug/);
  await listener.close();
});

test('a listener survives the exhaustion of file descriptors', async t => {
  const script = `
    import { createTestEngine } from ${JSON.stringify(new URL('../testing/engine.ts', import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL('../lifecycle/clock.ts', import.meta.url).href)};
    import { openSync, closeSync } from 'node:fs';
    const reported = [];
    const engine = createTestEngine({ clock: systemClock, onAcceptError: e => reported.push(e.code) });
    const accepted = [];
    const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, c => accepted.push(c));
    const connect = () => engine.connect({ remote: listener.address, timeoutMs: 5000 });
    const held = [];
    const closed = channel => new Promise(onClose =>
      channel.setHandler({ onData() {}, onDrain() {}, onEnd: () => channel.end(), onClose }));
    // Leaves one descriptor for the client's socket and none for its accept. The runtime may free one of its own meanwhile: then again.
    let refused = false;
    for (let tries = 0; tries < 5 && !refused; tries++) {
      for (;;) { try { held.push(openSync('/dev/null')); } catch { break; } }
      closeSync(held.pop());
      const before = accepted.length;
      const waiting = await connect();
      // libuv closes what it cannot accept; the native engine says so, and lets it wait.
      const gone = closed(waiting).then(() => 'closed');
      while (accepted.length === before && reported.length === 0) {
        if (await Promise.race([gone, new Promise(r => setTimeout(r, 5))]) === 'closed') break;
      }
      refused = accepted.length === before && (engine.name === 'node' || reported[0] === 'resource_exhausted');
    }
    const known = accepted.length;
    for (const fd of held) closeSync(fd);
    await connect();
    while (accepted.length < known + (engine.name === 'node' ? 1 : 2)) await new Promise(r => setTimeout(r, 5));
    console.log(refused ? 'survived' : 'was not exhausted');
    process.exit(0);`;
  const run = spawnSync(
    'sh',
    ['-c', 'ulimit -n 64 && exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: 'utf8', timeout: EMULATED ? 200_000 : 20_000 },
  );
  t.match(run.stdout, /survived/, run.stderr);
});

test('who has connected before a listener closes is accepted', {
  skip: engine.name === 'node' && 'libuv offers no way to accept the rest of a queue',
}, async t => {
  const accepted: ChannelRecorder[] = [];
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, c => {
    const recorder = new ChannelRecorder(c);
    accepted.push(recorder);
    c.end();
  });
  // The kernel accepts for us; nobody has turned the loop since, but for what the connects themselves need.
  const clients = await Promise.all(
    Array.from({ length: 40 }, () => engine.connect({ remote: listener.address, timeoutMs: 5_000 })),
  );
  await listener.close();
  t.equal(accepted.length, 40);
  const ends = clients.map(c => {
    const recorder = new ChannelRecorder(c);
    c.end();
    return recorder.close();
  });
  t.ok(
    (await Promise.all(ends)).every(error => error === undefined),
    'none was reset',
  );
});

test('keepalive is as the target says, and as ambient peers have it otherwise', async t => {
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, accepted => {
    const recorder = new ChannelRecorder(accepted);
    void recorder.until(() => recorder.ended).then(() => accepted.end());
  });
  const rows = [
    [undefined, [180, 180, 9]],
    [{ idleSeconds: 30, intervalSeconds: 5, probes: 3 }, [30, 5, 3]],
    [{ idleSeconds: 30, intervalSeconds: undefined, probes: undefined }, [30, 180, 9]],
  ] as const;
  for (const [keepalive, expected] of rows) {
    const channel = await engine.connect({ remote: listener.address, timeoutMs: 5_000, keepalive });
    const options = ['tcpKeepIdle', 'tcpKeepInterval', 'tcpKeepCount'] as const;
    t.same(
      options.map(name => getIntOption(channel.fd, name)),
      expected,
      JSON.stringify(keepalive),
    );
    const recorder = new ChannelRecorder(channel);
    channel.end();
    await recorder.close();
  }
  await listener.close();
});
