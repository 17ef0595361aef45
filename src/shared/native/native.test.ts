import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { cannotMakeNetns, LabNetns } from '../testing/netns-lab.ts';
import { openDescriptors } from '../testing/open-descriptors.ts';
import { isMemoryBacked } from './memory-backed.ts';
import { openNetns, runInNetns } from './netns.ts';
import { Errno } from './errno.ts';
import * as abi from './platform.ts';
import {
  bindSocket,
  closeFd,
  dupFd,
  getIntOption,
  listenSocket,
  openTcpSocket,
  setIntOption,
} from './socket.ts';
import { listenInNetns, openOutgoingSocket, WITHIN_NAMESPACE } from './socket-factory.ts';
import { congestionControl, localEndpoint } from './stream-socket.ts';
import { errnoName, SystemCallError } from './system-error.ts';

const skip = cannotMakeNetns();

test('sockets, without any privilege', async t => {
  const before = openDescriptors();
  for (const [family, ip] of [
    [4, '127.0.0.1'],
    [6, '::1'],
  ] as const) {
    const fd = openTcpSocket(family);
    const domain = family === 4 ? abi.AddressFamily.inet : abi.AddressFamily.inet6;
    t.equal(getIntOption(fd, 'domain'), domain, `IPv${family}: the kernel knows the family`);
    setIntOption(fd, 'reuseAddress', 1);
    t.equal(getIntOption(fd, 'reuseAddress'), 1, 'an option reads back');
    bindSocket(fd, { ip, port: 0 });
    listenSocket(fd, 1);
    const { port } = localEndpoint(fd) ?? { port: 0 };
    t.same(localEndpoint(fd), { ip, port }, 'the address reads back');
    const second = dupFd(fd);
    closeFd(fd);
    t.same(localEndpoint(second), { ip, port }, 'a duplicate outlives the first descriptor');
    const rival = openTcpSocket(family);
    t.throws(() => bindSocket(rival, { ip, port }), {
      code: 'EADDRINUSE',
      syscall: 'bind',
      message: new RegExp(`^bind ${ip} port ${port}: bind: EADDRINUSE`),
    });
    closeFd(second);
    closeFd(rival);
  }
  t.throws(() => dupFd(99_999), { code: 'EBADF', message: /^duplicate descriptor 99999: fcntl: EBADF/ });
  t.equal(openDescriptors(), before, 'no descriptor is left');
});

test('errors say what was attempted', async t => {
  t.same(errnoName(1), ['EPERM', 'operation not permitted']);
  t.same(errnoName(1234), ['E1234', 'unknown error']);
  t.match(
    new SystemCallError('setns', constants.errno.EPERM, 'enter a pod').message,
    /CAP_SYS_ADMIN are needed/,
  );
  t.throws(() => abi.linuxAbi('linux', 'mips'), {
    message: 'traffic capture needs Linux on x64 or arm64; this is linux on mips',
  });
  t.throws(() => abi.linuxAbi('darwin', 'arm64'));
  t.match(abi.linuxAbi('linux', 'arm64'), { epollEventWords: 4, epollDataWord: 2 });
});

test('the table of numbers is that of the C headers', {
  skip: compiler() === undefined && 'needs a C compiler',
}, async t => {
  const directory = mkdtempSync(join(tmpdir(), 'abi-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const names: [string, number][] = [
    ['AF_INET', abi.AddressFamily.inet],
    ['AF_INET6', abi.AddressFamily.inet6],
    ['AF_NETLINK', abi.AddressFamily.netlink],
    ['AF_PACKET', abi.AddressFamily.packet],
    ['SOCK_STREAM', abi.SocketType.stream],
    ['SOCK_DGRAM', abi.SocketType.dgram],
    ['SOCK_RAW', abi.SocketType.raw],
    ['SOCK_CLOEXEC', abi.SocketType.cloexec],
    ['SOCK_NONBLOCK', abi.SocketType.nonblock],
    ['SOL_SOCKET', abi.SocketOption.mark[0]],
    ['SO_MARK', abi.SocketOption.mark[1]],
    ['SO_REUSEADDR', abi.SocketOption.reuseAddress[1]],
    ['SO_REUSEPORT', abi.SocketOption.reusePort[1]],
    ['SO_RCVBUF', abi.SocketOption.receiveBuffer[1]],
    ['SO_RCVBUFFORCE', abi.SocketOption.receiveBufferForced[1]],
    ['SO_DOMAIN', abi.SocketOption.domain[1]],
    ['SOL_IP', abi.SocketOption.ipTransparent[0]],
    ['SOL_IPV6', abi.SocketOption.ipv6Transparent[0]],
    ['IP_TRANSPARENT', abi.SocketOption.ipTransparent[1]],
    ['IP_FREEBIND', abi.SocketOption.ipFreebind[1]],
    ['IP_BIND_ADDRESS_NO_PORT', abi.SocketOption.ipBindAddressNoPort[1]],
    ['IPV6_V6ONLY', abi.SocketOption.ipv6Only[1]],
    ['IPV6_TRANSPARENT', abi.SocketOption.ipv6Transparent[1]],
    ['IPV6_FREEBIND', abi.SocketOption.ipv6Freebind[1]],
    ['SO_ORIGINAL_DST', abi.SocketOption.originalDestination[1]],
    ['SOL_PACKET', abi.SocketOption.packetIgnoreOutgoing[0]],
    ['PACKET_IGNORE_OUTGOING', abi.SocketOption.packetIgnoreOutgoing[1]],
    ['F_DUPFD_CLOEXEC', abi.FcntlCommand.dupfdCloexec],
    ['SO_ERROR', abi.SocketOption.error[1]],
    ['SO_KEEPALIVE', abi.SocketOption.keepAlive[1]],
    ['SO_LINGER', abi.SocketOption.linger[1]],
    ['IPPROTO_TCP', abi.SocketOption.tcpNoDelay[0]],
    ['TCP_NODELAY', abi.SocketOption.tcpNoDelay[1]],
    ['TCP_KEEPIDLE', abi.SocketOption.tcpKeepIdle[1]],
    ['TCP_KEEPINTVL', abi.SocketOption.tcpKeepInterval[1]],
    ['TCP_KEEPCNT', abi.SocketOption.tcpKeepCount[1]],
    ['EPOLL_CTL_ADD', abi.EpollOp.add],
    ['EPOLL_CTL_DEL', abi.EpollOp.del],
    ['EPOLLIN', abi.EpollFlag.in],
    ['EPOLLOUT', abi.EpollFlag.out],
    ['EPOLLERR', abi.EpollFlag.err],
    ['EPOLLHUP', abi.EpollFlag.hup],
    ['EPOLLRDHUP', abi.EpollFlag.rdhup],
    ['(unsigned)EPOLLET', abi.EpollFlag.edge],
    ['EPOLL_CLOEXEC', abi.EPOLL_CLOEXEC],
    ['sizeof(struct epoll_event) / 4', abi.linuxAbi().epollEventWords],
    ['offsetof(struct epoll_event, data) / 4', abi.linuxAbi().epollDataWord],
    ['SHUT_WR', abi.SHUT_WR],
    ['sizeof(struct linger)', 8],
    ...Object.entries(Errno),
    ['CLONE_NEWNET', abi.CLONE_NEWNET],
    ['MSG_DONTWAIT', abi.MSG_DONTWAIT],
    ['NSFS_MAGIC', abi.FilesystemMagic.nsfs],
    ['TMPFS_MAGIC', abi.FilesystemMagic.tmpfs],
    ['RAMFS_MAGIC', abi.FilesystemMagic.ramfs],
    ['sizeof(struct sockaddr_in)', abi.linuxAbi().sockaddrInBytes],
    ['sizeof(struct sockaddr_in6)', abi.linuxAbi().sockaddrIn6Bytes],
    ['sizeof(struct sockaddr_ll)', abi.linuxAbi().sockaddrLlBytes],
  ];
  const headers = [
    'sched.h',
    'errno.h',
    'stddef.h',
    'sys/epoll.h',
    'netinet/tcp.h',
    'fcntl.h',
    'stdio.h',
    'sys/socket.h',
    'netinet/in.h',
    'linux/netfilter_ipv4.h',
    'linux/magic.h',
    'linux/if_packet.h',
    'linux/netlink.h',
  ];
  const asserts = names.map(
    ([name, ours]) => `_Static_assert((long long)(${name}) == ${ours}LL, "${name}");`,
  );
  writeFileSync(
    join(directory, 'abi.c'),
    `#define _GNU_SOURCE\n${headers.map(h => `#include <${h}>`).join('\n')}\n${asserts.join('\n')}\n`,
  );
  // Not run: the compiler may be one for another processor than that which runs this.
  const run = spawnSync(compiler() ?? 'cc', ['-fsyntax-only', join(directory, 'abi.c')], {
    encoding: 'utf8',
  });
  t.equal(run.status, 0, `${names.length} numbers\n${run.stderr}`);
});

test('a memory-backed directory is told from a disk', async t => {
  t.equal(isMemoryBacked('/dev/shm'), true);
  t.equal(isMemoryBacked('/proc'), false);
  t.throws(() => isMemoryBacked('/nowhere'), { code: 'ENOENT' });
});

test('namespaces', { skip }, async t => {
  const lab = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => lab.close());
  const links = (): string => execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
  const home = links();
  const { inode } = openAndClose('/proc/thread-self/ns/net');

  t.not(runInNetns(lab.netns.fd, links), home, 'a child made inside starts inside');
  t.equal(links(), home, 'and the thread is back afterwards');
  t.throws(
    () =>
      runInNetns(lab.netns.fd, () => {
        throw new Error('inside');
      }),
    { message: 'inside' },
  );
  t.equal(openAndClose('/proc/thread-self/ns/net').inode, inode, 'also when the function throws');
  t.throws(() => runInNetns(lab.netns.fd, () => runInNetns(lab.netns.fd, () => 1)), { message: /nested/ });
  t.equal(openAndClose('/proc/thread-self/ns/net').inode, inode, 'also when it was nested by mistake');

  t.throws(() => openNetns('/etc/hostname'), { message: /is not a namespace/ });
  t.throws(() => openNetns('/run/netns/none'), { code: 'ENOENT' });

  const fds = listenInNetns(lab.netns.fd, 15001, WITHIN_NAMESPACE);
  t.same(fds.map(localEndpoint), [
    { ip: '0.0.0.0', port: 15001 },
    { ip: '::', port: 15001 },
  ]);
  t.same(
    fds.map(fd => getIntOption(fd, 'mark')),
    [0x539, 0x539],
    'listening sockets carry the mark',
  );
  t.same(fds.map(congestionControl), ['reno', 'reno'], 'what stays in the namespace is not paced');
  fds.forEach(closeFd);
  const usual = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
  const network = listenInNetns(lab.netns.fd, 15008);
  t.same(network.map(congestionControl), [usual, usual], 'for the network the node decides');
  network.forEach(closeFd);
  const out = openOutgoingSocket({
    netnsFd: lab.netns.fd,
    remoteIp: '10.0.0.1',
    source: { ip: '192.0.2.1', port: 4000 },
    congestionControl: WITHIN_NAMESPACE,
  });
  t.equal(congestionControl(out), 'reno');
  t.same(localEndpoint(out), { ip: '192.0.2.1', port: 4000 }, 'an outgoing socket may have a foreign source');
  closeFd(out);
  t.throws(() => openOutgoingSocket({ remoteIp: '10.0.0.1', source: { ip: '::1', port: 0 } }), {
    message: /another address family/,
  });
});

test('a thread that cannot come back ends the process', { skip }, async t => {
  const lab = new LabNetns('10.77.0.2', 'fd77::2');
  t.teardown(() => lab.close());
  const script = `
    import { closeSync, readdirSync, readlinkSync } from 'node:fs';
    import { openNetns, runInNetns } from '${new URL('./netns.ts', import.meta.url).href}';
    const home = readlinkSync('/proc/thread-self/ns/net');
    const pod = openNetns('${lab.path}');
    runInNetns(pod.fd, () => {
      for (const fd of readdirSync('/proc/self/fd')) {
        try { if (readlinkSync('/proc/self/fd/' + fd) === home) closeSync(Number(fd)); } catch {}
      }
    });`;
  const run = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
    encoding: 'utf8',
  });
  t.equal(run.signal, 'SIGABRT');
  t.match(run.stderr, /fatal: setns back to the node's network namespace failed \(EBADF\)/);
});

function openAndClose(path: string): { inode: bigint } {
  const netns = openNetns(path);
  netns.close();
  return { inode: netns.inode };
}

function compiler(): string | undefined {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return [`/usr/bin/${machine}-linux-gnu-gcc`, '/usr/bin/cc', '/usr/bin/gcc'].find(path => existsSync(path));
}
