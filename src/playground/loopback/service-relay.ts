import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ServiceRule } from '../network/service-rules.ts';
import { socks5Connect } from './socks5-connect.ts';

/** Takes one pod's connections to services where they should go. */
export class ServiceRelay {
  readonly #podIp: string;
  readonly #addressOf: (clusterIp: string) => string;
  readonly #servers = new Map<string, Server>();
  readonly #rules = new Map<string, ServiceRule>();
  readonly #sockets = new Set<Socket>();
  #socks5Port: number | undefined;

  /** `addressOf` gives the address that a cluster IP has in this pod. */
  constructor(podIp: string, addressOf: (clusterIp: string) => string) {
    this.#podIp = podIp;
    this.#addressOf = addressOf;
  }

  useSocks5(port: number): void {
    this.#socks5Port = port;
  }

  setServices(rules: readonly ServiceRule[]): void {
    this.#rules.clear();
    for (const rule of rules) this.#rules.set(`${rule.clusterIp}:${rule.port}`, rule);
    for (const [key, { clusterIp, port }] of this.#rules)
      if (!this.#servers.has(key)) this.#listen(key, clusterIp, port);
    for (const [key, server] of this.#servers) {
      if (this.#rules.has(key)) continue;
      server.close();
      this.#servers.delete(key);
    }
  }

  close(): void {
    for (const server of this.#servers.values()) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #listen(key: string, clusterIp: string, port: number): void {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, socket => {
      this.#track(socket);
      void this.#relay(key, socket);
    });
    // A port that is taken shows as a refused connection in the pod, which its log names.
    server.on('error', () => this.#servers.delete(key));
    server.listen({ host: this.#addressOf(clusterIp), port });
    this.#servers.set(key, server);
  }

  /** Never rejects: what cannot be reached is a reset, as it would be with capture in the kernel. */
  async #relay(key: string, client: Socket): Promise<void> {
    try {
      const upstream = await this.#dial(key);
      this.#track(upstream);
      client.on('error', () => upstream.resetAndDestroy());
      upstream.on('error', () => client.resetAndDestroy());
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
      client.pipe(upstream);
      upstream.pipe(client);
    } catch {
      client.resetAndDestroy();
    }
  }

  #dial(key: string): Promise<Socket> {
    const rule = this.#rules.get(key);
    if (rule === undefined) return Promise.reject(new Error('the service is gone'));
    const localAddress = this.#podIp;
    if (this.#socks5Port !== undefined) {
      const proxy = { host: this.#podIp, port: this.#socks5Port, localAddress };
      return socks5Connect(proxy, { ip: rule.clusterIp, port: rule.port });
    }
    const endpoint = rule.endpoints[Math.floor(Math.random() * rule.endpoints.length)];
    if (endpoint === undefined) return Promise.reject(new Error('the service has no endpoints'));
    return new Promise((resolve, reject) => {
      const socket = connect({ host: endpoint.ip, port: endpoint.port, localAddress, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(socket));
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
