import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import { copyBidirectional } from '#shared/engine/copy.ts';
import { createTestEngine } from '#shared/testing/engine.ts';
import { HbonePool } from '#shared/hbone/session-pool.ts';
import { serveHbone } from '#shared/hbone/server.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { ChannelRecorder } from '#shared/testing/loopback.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { Daemon } from './command.ts';
import { type EnvoyTlsFiles, envoyInbound, envoyOutbound } from './envoy-config.ts';
import { installEnvoy } from './envoy-install.ts';

const OURS = 'spiffe://cluster.local/ns/interop/sa/ours';
const ENVOYS = 'spiffe://cluster.local/ns/interop/sa/envoy';
const IP = '127.0.0.1';
const envoy = installEnvoy();
const engine = createTestEngine({ clock: systemClock });
const ca = await createTestCa();
const context = engine.createTlsContext(await ca.issue(OURS));
const options = envoy.ok ? {} : { skip: envoy.reason };

async function freePort(): Promise<number> {
  const listener = await engine.listen({ ip: IP, port: 0 }, () => {});
  await listener.close();
  return listener.address.port;
}

/** Starts Envoy with what `config` makes of the files of its certificate, and waits until it listens on `port`. */
async function startEnvoy(t: Test, port: number, config: (tls: EnvoyTlsFiles) => unknown): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'envoy-interop-'));
  const write = (name: string, content: string): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const material = await ca.issue(ENVOYS);
  const tls = {
    certChain: write('chain.pem', material.certChainPem),
    privateKey: write('key.pem', material.privateKeyPem),
    trustBundle: write('roots.pem', material.trustBundlePem),
    peerIdentity: OURS,
  };
  const path = write('envoy.json', JSON.stringify(config(tls)));
  const args = ['--concurrency', '1', '--log-level', 'warn', '--disable-hot-restart', '-c', path];
  const daemon = new Daemon(envoy.ok ? envoy.path : '', args);
  t.teardown(async () => {
    await daemon.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  for (let tries = 0; tries < 100 && daemon.isRunning; tries++) {
    try {
      const probe = await engine.connect({ remote: { ip: IP, port }, timeoutMs: 1_000 });
      const end = new ChannelRecorder(probe);
      probe.abort(new ChannelError('aborted', 'probe'));
      await end.close();
      return;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
  throw new Error(`Envoy does not listen: ${daemon.said}`);
}

async function startEcho(t: Test): Promise<number> {
  const listener = await engine.listen({ ip: IP, port: 0 }, echo);
  t.teardown(() => listener.close());
  return listener.address.port;
}

function echo(channel: ByteChannel): void {
  channel.setHandler({
    onData: slice => {
      if (!channel.write(slice)) channel.pause();
    },
    onEnd: () => channel.end(),
    onDrain: () => channel.resume(),
    onClose() {},
  });
}

/** 20 MB there and back, then half-closes; the hash must be the same. */
async function roundTrip(t: Test, channel: ByteChannel): Promise<void> {
  const end = new ChannelRecorder(channel);
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  end.onSlice = slice => void received.update(slice);
  for (let i = 0; i < 100; i++) {
    const block = randomBytes(200_000);
    sent.update(block);
    const drains = end.drains;
    if (!channel.write(block)) await end.until(() => end.drains > drains || end.closed);
  }
  channel.end();
  await end.until(() => end.ended || end.closed);
  t.equal(end.bytes, 20_000_000);
  t.equal(received.digest('hex'), sent.digest('hex'));
  t.equal((await end.close())?.message, undefined);
}

test('Envoy as HBONE server for our client', options, async t => {
  const target = { ip: IP, port: await startEcho(t) };
  const hbone = { ip: IP, port: await freePort() };
  await startEnvoy(t, hbone.port, tls => envoyInbound(hbone, [target], tls));
  const pool = new HbonePool({
    engine,
    clock: systemClock,
    random: Math.random,
    dial: (remote, signal) => engine.connect({ remote, timeoutMs: 5_000 }, signal),
    tlsContext: () => context,
  });
  const to = {
    sourceIdentity: OURS,
    destinationIdentities: [ENVOYS],
    remote: hbone,
    workloadUid: 'envoy',
    request: { host: target.ip, port: target.port },
  };
  for (let i = 0; i < 3; i++) await roundTrip(t, await pool.connect(to));
  const missing = pool.connect({ ...to, request: { host: '10.255.0.1', port: 1 } });
  await t.rejects(missing, { name: 'ConnectRefusedError', status: 404 });
  const many = await Promise.all(Array.from({ length: 150 }, () => pool.connect(to)));
  t.equal(pool.sessions().length, 2, 'at most 100 streams on a connection');
  const ends = many.map(channel => new ChannelRecorder(channel));
  for (const channel of many) channel.end();
  await Promise.all(ends.map(e => e.close()));
  const drained = pool.drain();
  await drained;
});

test('Envoy as HBONE client of our server', options, async t => {
  const target = { ip: IP, port: await startEcho(t) };
  const peers = new Set<string>();
  const server = engine.createTlsContext(await ca.issue(OURS));
  const hbone = await engine.listen({ ip: IP, port: 0 }, channel => {
    engine
      .secureServer(channel, server, { alpn: ['h2'], timeoutMs: 5_000, verifyPeer: true })
      .then(secured =>
        serveHbone(secured, {
          clock: systemClock,
          onConnect(connect) {
            peers.add(`${connect.peerIdentity} ${connect.request.authority}`);
            const remote = { ip: connect.request.host, port: connect.request.port };
            engine.connect({ remote, timeoutMs: 5_000 }, connect.signal).then(
              upstream => copyBidirectional(connect.accept(), upstream, { clock: systemClock, onClose() {} }),
              () => connect.refuse(503, 'not reachable'),
            );
          },
        }),
      )
      .catch(error => t.fail(String(error)));
  });
  t.teardown(() => hbone.close());
  const listen = { ip: IP, port: await freePort() };
  await startEnvoy(t, listen.port, tls => envoyOutbound([{ listen, target }], hbone.address, tls));
  for (let i = 0; i < 3; i++) await roundTrip(t, await engine.connect({ remote: listen, timeoutMs: 5_000 }));
  t.same([...peers], [`${ENVOYS} ${target.ip}:${target.port}`]);
});
