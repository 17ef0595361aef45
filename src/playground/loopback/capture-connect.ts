import { Socket } from 'node:net';
import { podRoute } from './pod-route.ts';
import type { PodView } from './pod-view.ts';
import { socks5Opening } from './socks5-client.ts';
import { stripReply } from './strip-reply.ts';

interface ConnectCall {
  readonly options: object;
  readonly host: string;
  readonly port: number;
  readonly callback: unknown;
}

/**
 * From now on every outgoing TCP connection of this process is made as the pod's: from its address, to the pod's ztunnel by
 * SOCKS5 when the pod is in the mesh. `http`, `fetch` and every library over `net` pass here. @returns what undoes it.
 */
export function captureConnections(view: () => PodView, random: () => number = Math.random): () => void {
  const original: unknown = Reflect.get(Socket.prototype, 'connect');
  if (typeof original !== 'function') throw new Error('net.Socket has no connect');
  const connect = function (this: Socket, ...args: unknown[]): Socket {
    const call = connectCall(args);
    let instead: Resolved | undefined;
    try {
      instead = call === undefined ? undefined : resolve(this, view(), call, random);
    } catch (error) {
      process.nextTick(() => this.destroy(error instanceof Error ? error : new Error(String(error))));
      return this;
    }
    Reflect.apply(original, this, instead?.args ?? args);
    instead?.after();
    return this;
  };
  Reflect.set(Socket.prototype, 'connect', connect);
  return () => void Reflect.set(Socket.prototype, 'connect', original);
}

interface Resolved {
  /** For the original `connect`. */
  readonly args: readonly unknown[];
  readonly after: () => void;
}

function resolve(
  socket: Socket,
  view: PodView,
  call: ConnectCall,
  random: () => number,
): Resolved | undefined {
  const { host, port, options, callback } = call;
  const route = podRoute(view, host, port, random);
  const to = (ip: string, toPort: number, after: () => void): Resolved => {
    // Whatever leaves the machine cannot leave with a loopback address.
    const from = ip.startsWith('127.') ? { localAddress: view.podIp } : {};
    const instead = { host: ip, port: toPort, family: 0, lookup: undefined, ...from };
    return { args: [{ ...options, ...instead }, callback], after };
  };
  switch (route.kind) {
    case 'outside':
      return undefined;
    case 'direct':
      return to(route.ip, route.port, () => undefined);
    case 'socks5': {
      if ('encrypted' in socket) {
        throw new Error(`TLS of the program itself (to ${host}:${port}) cannot be captured by SOCKS5 here`);
      }
      const opening = socks5Opening(route.host, route.port);
      return to(view.podIp, view.socks5Port ?? 0, () => {
        stripReply(socket, `${host}:${port}`);
        socket.write(opening);
      });
    }
  }
}

/**
 * Of `connect(options, cb)`, `connect(port, host, cb)`, or the array that `net.connect` passes. Undefined for a unix socket, and
 * for what `net` itself will refuse.
 */
function connectCall(args: readonly unknown[]): ConnectCall | undefined {
  const [first, second] = args;
  if (Array.isArray(first)) return connectCall(first);
  const callback = args.find(argument => typeof argument === 'function');
  const options = typeof first === 'object' && first !== null ? first : { port: first, host: second };
  const port = portOf(Reflect.get(options, 'port'));
  const host: unknown = Reflect.get(options, 'host') ?? 'localhost';
  // As `net` has it: whatever has a path is no TCP connection.
  if (port === undefined || Boolean(Reflect.get(options, 'path'))) return undefined;
  if (typeof host === 'function') return { options: {}, host: 'localhost', port, callback };
  return typeof host === 'string' ? { options, host, port, callback } : undefined;
}

function portOf(value: unknown): number | undefined {
  const port = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : undefined;
}
