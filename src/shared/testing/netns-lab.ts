import { EMULATED } from './emulated.ts';
import { execFileSync } from 'node:child_process';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import type { SocketEndpoint } from '../engine/channel.ts';
import { type Netns, openNetns, runInNetns } from '../native/netns.ts';
import { bindSocket, listenSocket, openTcpSocket, setIntOption } from '../native/socket.ts';
import { familyOf } from '../native/socket-address.ts';

/** Why this machine cannot make network namespaces, or false: the `skip` of a kernel test. */
export function cannotMakeNetns(): string | false {
  if (EMULATED) return 'the emulator has no SO_MARK, without which nothing is captured';
  const name = uniqueName();
  try {
    ip(`netns add ${name}\nnetns del ${name}`);
    execFileSync('nft', ['--version'], { stdio: 'ignore' });
    return false;
  } catch (cause) {
    return `needs root, iproute2 and nftables: ${cause instanceof Error ? firstLine(cause.message) : 'unknown'}`;
  }
}

/** Why links between namespaces cannot be slowed down here (`tc` with a token bucket), or false. */
export function cannotSlowLinks(): string | false {
  const netns = new LabNetns('10.77.0.1', 'fd77::1');
  try {
    netns.slow('lo', '1mbit');
    return false;
  } catch {
    return 'needs tc, and a kernel with tbf';
  } finally {
    netns.close();
  }
}

/** Two namespaces joined by a veth pair, with one IPv4 and one IPv6 address each, for tests against the real kernel. */
export class NetnsLab {
  readonly client: LabNetns;
  readonly pod: LabNetns;

  constructor() {
    this.client = new LabNetns('10.77.0.1', 'fd77::1');
    this.pod = new LabNetns('10.77.0.2', 'fd77::2');
    const link = uniqueName();
    ip(`link add ${link}a netns ${this.client.name} type veth peer ${link}b netns ${this.pod.name}`);
    this.client.configure(`${link}a`);
    this.pod.configure(`${link}b`);
  }

  close(): void {
    this.client.close();
    this.pod.close();
  }
}

export class LabNetns {
  readonly name = uniqueName();
  readonly ipv4: string;
  readonly ipv6: string;
  netns: Netns;
  #link = '';
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();

  constructor(ipv4: string, ipv6: string) {
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
    ip(`netns add ${this.name}`);
    this.netns = openNetns(this.path);
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Another namespace at the same path, as when a pod's sandbox is restarted. */
  recreate(): void {
    this.netns.close();
    ip(`netns del ${this.name}\nnetns add ${this.name}`);
    this.netns = openNetns(this.path);
  }

  /** Name of the interface that leads to the other namespace; '' before there is one. */
  get link(): string {
    return this.#link;
  }

  configure(link: string): void {
    this.#link = link;
    const peerV4 = this.ipv4.endsWith('.1') ? '10.77.0.2' : '10.77.0.1';
    const peerV6 = this.ipv6.endsWith('::1') ? 'fd77::2' : 'fd77::1';
    this.exec(
      'ip',
      ['-batch', '-'],
      [
        'link set lo up',
        `link set ${link} up`,
        `addr add ${this.ipv4}/24 dev ${link}`,
        `addr add ${this.ipv6}/64 dev ${link} nodad`,
        `route add default via ${peerV4}`,
        `route add default via ${peerV6}`,
      ].join('\n'),
    );
  }

  /** What leaves by the interface waits for its turn. Throws where the kernel has no means for it. tc-tbf(8) */
  slow(link: string, rate: string): void {
    const bucket = ['rate', rate, 'burst', '1600', 'limit', '200000'];
    this.exec('tc', ['qdisc', 'add', 'dev', link, 'root', 'tbf', ...bucket]);
  }

  /** Runs a program inside and returns what it prints. Throws with its error text. */
  exec(program: string, args: readonly string[], input = ''): string {
    return runInNetns(this.netns.fd, () =>
      execFileSync(program, args, { input, encoding: 'utf8', stdio: 'pipe' }),
    );
  }

  /** A server inside, on a socket without any mark, as an application's. Closed with the lab. */
  async listen(at: SocketEndpoint, onConnection: (socket: Socket) => void): Promise<SocketEndpoint> {
    const fd = runInNetns(this.netns.fd, () => {
      const made = openTcpSocket(familyOf(at.ip));
      setIntOption(made, 'reuseAddress', 1);
      bindSocket(made, at);
      listenSocket(made, 16);
      return made;
    });
    return this.adopt(fd, onConnection);
  }

  /** Serves on a listening socket that was made elsewhere. */
  async adopt(fd: number, onConnection: (socket: Socket) => void): Promise<SocketEndpoint> {
    const server = createServer({ allowHalfOpen: true }, socket => {
      this.#track(socket);
      onConnection(socket);
    });
    this.#servers.add(server);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ fd }, resolve));
    const { address, port } = addressOf(server);
    return { ip: address, port };
  }

  /** Connects from inside, as an application. Rejects when the connection is refused. */
  connect(to: SocketEndpoint): Promise<Socket> {
    return this.connectFd(
      runInNetns(this.netns.fd, () => openTcpSocket(familyOf(to.ip))),
      to,
    );
  }

  connectFd(fd: number, to: SocketEndpoint): Promise<Socket> {
    const socket = new Socket({ fd, allowHalfOpen: true });
    this.#track(socket);
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.connect({ host: to.ip, port: to.port }, () => resolve(socket));
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
    this.netns.close();
    ip(`netns del ${this.name}`);
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the server does not listen on an IP address');
  return address;
}

function ip(batch: string): void {
  execFileSync('ip', ['-batch', '-'], { input: batch, stdio: 'pipe' });
}

/** Short enough for an interface name with a letter behind it (15 bytes). */
function uniqueName(): string {
  return `lab${randomBytes(4).toString('hex')}`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
