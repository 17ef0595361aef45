import { test, type Test } from 'tap';
import { connect } from 'node:net';
import { once } from 'node:events';
import { EMULATED } from '../testing/emulated.ts';
import { cannotMakeNetns, LabNetns } from '../testing/netns-lab.ts';
import { NativeMemory } from './native-memory.ts';
import { shareWithOlderListener, yieldToYoungerListener } from './reuse-port-group.ts';
import { bindSocket, closeFd, listenSocket, openTcpSocket, setIntOption } from './socket.ts';
import { accept, localEndpoint, receive, sendSlice, startConnect } from './stream-socket.ts';
import { listenOnLoopback, openOutgoingUdpSocket } from './udp-socket.ts';

const CONNECTIONS = 40;
const skip = EMULATED && 'the emulator has no SO_ATTACH_REUSEPORT_CBPF';

function listener(port: number): { readonly fd: number; readonly port: number } {
  const fd = openTcpSocket(4);
  setIntOption(fd, 'reuseAddress', 1);
  setIntOption(fd, 'reusePort', 1);
  bindSocket(fd, { ip: '127.0.0.1', port });
  listenSocket(fd, CONNECTIONS);
  return { fd, port: localEndpoint(fd)?.port ?? 0 };
}

/** Connects often, and counts how many each of them was given. */
async function given(port: number, fds: readonly number[]): Promise<number[]> {
  for (let n = 0; n < CONNECTIONS; n++) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.resetAndDestroy();
  }
  return fds.map(accepted);
}

function accepted(fd: number): number {
  let count = 0;
  for (let one = accept(fd); one >= 0; one = accept(fd), count++) closeFd(one);
  return count;
}

function setUp(t: Test) {
  const older = listener(0);
  const younger = listener(older.port);
  const open = new Set([older.fd, younger.fd]);
  t.teardown(() => open.forEach(closeFd));
  const close = (fd: number): void => {
    open.delete(fd);
    closeFd(fd);
  };
  const start = (): number => {
    const { fd } = listener(older.port);
    open.add(fd);
    return fd;
  };
  return { port: older.port, older: older.fd, younger: younger.fd, close, start };
}

test('two that listen on one port share what is new', async t => {
  const { port, older, younger } = setUp(t);
  const counts = await given(port, [older, younger]);
  t.equal(
    counts.reduce((sum, count) => sum + count),
    CONNECTIONS,
  );
  t.ok(
    counts.every(count => count > 0),
    counts.join(', '),
  );
});

test('one that yields gets nothing new, the younger everything', { skip }, async t => {
  const { port, older, younger } = setUp(t);
  yieldToYoungerListener(older);
  t.strictSame(await given(port, [older, younger]), [0, CONNECTIONS]);
});

test('one that yields to nobody goes on', async t => {
  const { close, port, older, younger } = setUp(t);
  close(younger);
  yieldToYoungerListener(older);
  t.strictSame(await given(port, [older]), [CONNECTIONS]);
});

test('the one that is left goes on, and shares with the next, which may yield to one after it', {
  skip,
}, async t => {
  const { close, port, older, start, younger } = setUp(t);
  yieldToYoungerListener(older);
  close(older);
  t.strictSame(await given(port, [younger]), [CONNECTIONS]);
  const next = start();
  shareWithOlderListener(next);
  t.ok((await given(port, [younger, next])).every(count => count > 0));
  yieldToYoungerListener(younger);
  t.strictSame(await given(port, [younger, next]), [0, CONNECTIONS]);
});

test('datagrams alike', { skip: cannotMakeNetns() }, async t => {
  const netns = new LabNetns('10.77.0.1', 'fd77::1');
  t.teardown(() => netns.close());
  netns.exec('ip', ['link', 'set', 'lo', 'up']);
  const open = (): number[] => listenOnLoopback(netns.netns.fd, 15053).udp.map(({ fd }) => fd);
  const [older, younger] = [open(), open()];
  t.teardown(() => [...older, ...younger].forEach(closeFd));
  /** Sent from as many ports; how many each of them was given. */
  const given = (family: 4 | 6): number[] => {
    for (let n = 0; n < CONNECTIONS; n++) {
      const { fd } = openOutgoingUdpSocket(netns.netns.fd, family === 4 ? '127.0.0.1' : '::1');
      startConnect(fd, { ip: family === 4 ? '127.0.0.1' : '::1', port: 15053 });
      sendSlice(fd, Buffer.from('x'));
      closeFd(fd);
    }
    return [older, younger].map(fds => drained(fds[family === 4 ? 0 : 1] ?? -1));
  };
  for (const family of [4, 6] as const) {
    const shared = given(family);
    t.equal(
      shared.reduce((sum, count) => sum + count),
      CONNECTIONS,
    );
    t.ok(
      shared.every(count => count > 0),
      shared.join(', '),
    );
  }
  older.forEach(yieldToYoungerListener);
  for (const family of [4, 6] as const) t.strictSame(given(family), [0, CONNECTIONS]);
});

function drained(fd: number): number {
  const { address } = new NativeMemory(16);
  let count = 0;
  while (receive(fd, address, 16) >= 0) count++;
  return count;
}
