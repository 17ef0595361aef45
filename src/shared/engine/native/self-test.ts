import { errorMessage } from '../../observability/error-message.ts';
import { Epoll } from '../../native/epoll.ts';
import { NativeMemory } from '../../native/native-memory.ts';
import { openssl, takeOpensslError } from '../../native/openssl.ts';
import { EpollFlag } from '../../native/platform.ts';
import { runtimeLoopFd } from '../../native/runtime-loop.ts';
import { bindSocket, closeFd, listenSocket, openTcpSocket } from '../../native/socket.ts';
import { accept, localEndpoint, receive, send, startConnect } from '../../native/stream-socket.ts';
import { TlsContextHandle } from '../../native/tls-context-handle.ts';
import { TLS_CIPHER_SUITES, TLS_GROUPS } from '../tls-material.ts';

const SLOT = 7;
const GENERATION = 0xfeed;
const MESSAGE = Buffer.from('self-test');
const WAIT_MS = 2_000;

/**
 * Whether everything the native engine calls is there and does what its layouts say, tried on a connection to ourselves.
 * Takes about a millisecond. @returns what is missing or wrong; undefined when nothing is
 */
export function nativeSelfTest(): string | undefined {
  try {
    // Names each function that the runtime does not export.
    openssl();
    if (runtimeLoopFd() < 0) return "the runtime's event loop has no descriptor";
    return testLoopback() ?? testTlsParameters();
  } catch (error) {
    return errorMessage(error);
  }
}

/** One connection: its event must carry what was registered, and its bytes must land in the memory and nowhere else. */
function testLoopback(): string | undefined {
  const epoll = new Epoll();
  const fds: number[] = [];
  try {
    const listener = keep(fds, openTcpSocket(4));
    bindSocket(listener, { ip: '127.0.0.1', port: 0 });
    listenSocket(listener, 1);
    const address = localEndpoint(listener);
    if (address === undefined) return 'a listening socket has no address';
    const client = keep(fds, openTcpSocket(4));
    startConnect(client, address);
    epoll.add(listener, EpollFlag.in, SLOT, GENERATION);
    if (epoll.wait(WAIT_MS) !== 1) return 'epoll does not tell of a connection';
    if (epoll.slotOf(0) !== SLOT || epoll.generationOf(0) !== GENERATION)
      return 'struct epoll_event has another layout than expected';
    return testBytes(client, keep(fds, accept(listener)));
  } finally {
    fds.forEach(closeFd);
    epoll.close();
  }
}

function testBytes(client: number, server: number): string | undefined {
  if (server < 0) return 'accept4 fails';
  const memory = new NativeMemory(MESSAGE.length);
  memory.bytes.set(MESSAGE);
  if (send(client, memory.address, MESSAGE.length) !== MESSAGE.length) return 'send fails';
  memory.bytes.fill(0);
  const received = receive(server, memory.address, memory.size);
  if (received !== MESSAGE.length || !memory.bytes.equals(MESSAGE))
    return 'recv does not write where it should';
  return memory.isIntact ? undefined : 'recv writes behind the memory it was given';
}

/** TLS 1.3 with our suites and groups, the hybrid one among them. */
function testTlsParameters(): string | undefined {
  return TlsContextHandle.unsupported(TLS_CIPHER_SUITES, TLS_GROUPS) ?? (takeOpensslError() || undefined);
}

function keep(fds: number[], fd: number): number {
  if (fd >= 0) fds.push(fd);
  return fd;
}
