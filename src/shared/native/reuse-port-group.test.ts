import { test, type Test } from 'tap';
import { connect } from 'node:net';
import { once } from 'node:events';
import { EMULATED } from '../testing/emulated.ts';
import { shareWithOlderListener, yieldToYoungerListener } from './reuse-port-group.ts';
import { bindSocket, closeFd, listenSocket, openTcpSocket, setIntOption } from './socket.ts';
import { accept, localEndpoint } from './stream-socket.ts';

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
