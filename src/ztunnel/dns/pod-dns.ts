import { ChannelError, type SocketEndpoint } from '#shared/engine/channel.ts';
import type { Listener, TcpChannel } from '#shared/engine/engine.ts';
import { ConnectionTracking } from '#shared/native/conntrack.ts';
import { yieldToYoungerListener } from '#shared/native/reuse-port-group.ts';
import { closeFd, dupFd } from '#shared/native/socket.ts';
import { type FamilySocket, listenOnLoopback, LOOPBACK } from '#shared/native/udp-socket.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import { originalDestination } from '../redirect/original-dst.ts';
import { DatagramSocket } from './datagram-socket.ts';
import type { DnsContext } from './dns-context.ts';
import { PodResolver } from './pod-resolver.ts';
import { TcpClient } from './tcp-client.ts';

/** Of one pod. Those beyond are reset. */
const MAX_TCP_CLIENTS = 128;

/** The DNS sockets of one pod, in its network namespace. */
export class PodDns {
  readonly #context: DnsContext;
  readonly #netnsFd: number;
  readonly #port: number;
  readonly #resolver: PodResolver;
  readonly #descriptors: number[] = [];
  readonly #datagrams: DatagramSocket[] = [];
  readonly #listeners: Listener[] = [];
  readonly #clients = new Set<TcpClient>();
  #tracking: ConnectionTracking | undefined;
  #saidUntracked = false;
  #closed = false;

  /** @param netnsFd stays the caller's */
  constructor(context: DnsContext, info: LocalWorkloadInfo, netnsFd: number, port: number) {
    this.#context = context;
    this.#port = port;
    this.#netnsFd = dupFd(netnsFd);
    this.#resolver = new PodResolver(context, info, this.#netnsFd);
  }

  /** Queries are answered when it resolves. Rejects when the port is taken; close it then. */
  async listen(): Promise<void> {
    const { udp, tcp } = listenOnLoopback(this.#netnsFd, this.#port);
    try {
      this.#tracking = new ConnectionTracking(this.#netnsFd);
    } catch (error) {
      this.#cannotTrack(error);
    }
    this.#descriptors.push(...[...udp, ...tcp].map(({ fd }) => fd));
    for (const socket of udp) this.#receive(socket);
    const { engine } = this.#context;
    const listening = tcp.map(({ fd }) => engine.listen({ fd }, channel => this.#accept(channel)));
    this.#listeners.push(...(await Promise.all(listening)));
  }

  set info(info: LocalWorkloadInfo) {
    this.#resolver.info = info;
  }

  /** What is new goes to the ztunnel that listens beside this one, if there is one. */
  yield(): void {
    if (!this.#closed) this.#descriptors.forEach(yieldToYoungerListener);
  }

  /** Ends what is under way. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#resolver.close();
    for (const socket of this.#datagrams) socket.close();
    for (const client of this.#clients) client.abort(new ChannelError('drain', 'the pod left the mesh'));
    await Promise.all(this.#listeners.map(listener => listener.close()));
    this.#tracking?.close();
    closeFd(this.#netnsFd);
  }

  #receive(socket: FamilySocket): void {
    const receiver = { ip: LOOPBACK[socket.family], port: this.#port };
    const datagrams: DatagramSocket = new DatagramSocket(socket, {
      onMessage: (bytes, from) => {
        const askedServer = (): SocketEndpoint | undefined => this.#askedOverUdp(receiver, from);
        const reply = (answer: Buffer): void => datagrams.sendTo(answer, from);
        void this.#resolver.handle({ bytes, transport: 'udp', askedServer, reply });
      },
      onError: error => this.#context.logger.warn('cannot receive dns queries', { error: error.message }),
    });
    this.#datagrams.push(datagrams);
  }

  #accept(channel: TcpChannel): void {
    if (this.#closed || this.#clients.size >= MAX_TCP_CLIENTS) {
      channel.abort(new ChannelError('resource_exhausted', `more than ${MAX_TCP_CLIENTS} dns connections`));
      return;
    }
    const { fd, localAddress } = channel;
    const asked = this.#askedOverTcp(fd, localAddress);
    const client: TcpClient = new TcpClient(channel, {
      clock: this.#context.clock,
      onQuery: (bytes, reply) =>
        this.#resolver.handle({ bytes, transport: 'tcp', askedServer: () => asked, reply }),
      onClose: () => this.#clients.delete(client),
    });
    this.#clients.add(client);
  }

  #askedOverUdp(receiver: SocketEndpoint, { ip, port }: SocketEndpoint): SocketEndpoint | undefined {
    const sender = canonicalIp(ip);
    if (sender === undefined) return undefined;
    try {
      const asked = this.#tracking?.originalDestination(receiver, { ip: sender, port });
      return asked?.port === this.#port ? undefined : asked;
    } catch (error) {
      this.#cannotTrack(error);
      return undefined;
    }
  }

  #askedOverTcp(fd: number, local: SocketEndpoint): SocketEndpoint | undefined {
    try {
      const original = originalDestination(fd, local);
      return original.kind === 'redirected' ? original.destination : undefined;
    } catch (error) {
      this.#cannotTrack(error);
      return undefined;
    }
  }

  /** Said once: it is the same with every query. */
  #cannotTrack(error: unknown): void {
    if (this.#saidUntracked) return;
    this.#saidUntracked = true;
    const { info } = this.#resolver;
    this.#context.logger.warn(
      "whom a pod's dns query was for is not known: this node's name servers are asked",
      {
        pod: info.name,
        namespace: info.namespace,
        error: errorMessage(error),
      },
    );
  }
}
