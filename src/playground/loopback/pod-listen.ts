import { Server } from 'node:net';

/** What "every address" and "loopback" mean in a pod: here both are the pod's one address. */
const OWN: readonly unknown[] = [undefined, null, '', '::', '0.0.0.0', 'localhost', '127.0.0.1', '::1'];

/** From now on servers of this process listen on the pod's address alone. @returns what undoes it. */
export function listenOnPodAddress(podIp: string): () => void {
  const original: unknown = Reflect.get(Server.prototype, 'listen');
  if (typeof original !== 'function') throw new Error('net.Server has no listen');
  const listen = function (this: Server, ...args: unknown[]): Server {
    Reflect.apply(original, this, podArguments(args, podIp));
    return this;
  };
  Reflect.set(Server.prototype, 'listen', listen);
  return () => void Reflect.set(Server.prototype, 'listen', original);
}

/** Of `listen(port, host, backlog, cb)` and `listen(options, cb)`; paths, handles and descriptors stay as they are. */
export function podArguments(args: readonly unknown[], podIp: string): readonly unknown[] {
  const [first, second, ...rest] = args;
  if (typeof first === 'object' && first !== null) {
    const isTcp = Reflect.get(first, 'port') !== undefined;
    return isTcp && OWN.includes(Reflect.get(first, 'host'))
      ? [{ ...first, host: podIp, ipv6Only: false }, ...args.slice(1)]
      : args;
  }
  const isPort = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first));
  if (!isPort) return args;
  const hasHost = typeof second === 'string' || second === undefined || second === null;
  if (!hasHost) return [first, podIp, second, ...rest];
  return OWN.includes(second) ? [first, podIp, ...rest] : args;
}
