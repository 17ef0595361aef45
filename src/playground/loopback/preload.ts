import { readFileSync } from 'node:fs';
import dns from 'node:dns';
import net from 'node:net';

/**
 * Loaded into the Node programs of pods that share the machine's network: they listen on their pod's address alone, and find
 * services by the pod's hosts file, as in a network namespace of their own.
 */
const podIp = process.env['POD_IP'] ?? '';
const hostsPath = process.env['AMBIENT_HOSTS'] ?? '';
const ANY: readonly unknown[] = [undefined, '::', '0.0.0.0'];

function addressOf(name: string): string | undefined {
  for (const line of readFileSync(hostsPath, 'utf8').split('\n')) {
    const [ip = '', ...names] = line.split(' ');
    if (names.includes(name) && net.isIPv4(ip)) return ip;
  }
  return undefined;
}

const lookup = dns.lookup;
/** Keeps the shape of the callback: one address, or a list of them when `all` was asked for. */
function podLookup(name: string, ...rest: unknown[]): unknown {
  const ip = addressOf(name);
  const callback = rest.at(-1);
  if (ip === undefined || typeof callback !== 'function') return Reflect.apply(lookup, dns, [name, ...rest]);
  const [options] = rest;
  const all = typeof options === 'object' && options !== null && Reflect.get(options, 'all') === true;
  const answer = all ? [null, [{ address: ip, family: 4 }]] : [null, ip, 4];
  process.nextTick(() => void Reflect.apply(callback, undefined, answer));
  return undefined;
}
Object.defineProperty(dns, 'lookup', { value: podLookup, writable: true, configurable: true });

const listen: unknown = Reflect.get(net.Server.prototype, 'listen');
if (typeof listen !== 'function') throw new Error('this runtime has no Server.listen to redirect');
const listenOn = listen;
function podListen(this: net.Server, ...args: unknown[]): unknown {
  const [first, second] = args;
  if (typeof first === 'number') {
    const others = typeof second === 'string' || second === undefined ? args.slice(2) : args.slice(1);
    const host = ANY.includes(second) || typeof second !== 'string' ? podIp : second;
    return Reflect.apply(listenOn, this, [first, host, ...others]);
  }
  if (
    typeof first === 'object' &&
    first !== null &&
    'port' in first &&
    ANY.includes(Reflect.get(first, 'host'))
  ) {
    return Reflect.apply(listenOn, this, [{ ...first, host: podIp }, ...args.slice(1)]);
  }
  return Reflect.apply(listenOn, this, args);
}
Object.defineProperty(net.Server.prototype, 'listen', {
  value: podListen,
  writable: true,
  configurable: true,
});

const LOOPBACK: readonly unknown[] = ['localhost', '127.0.0.1', '::1'];
const connect: unknown = Reflect.get(net.Socket.prototype, 'connect');
if (typeof connect !== 'function') throw new Error('this runtime has no Socket.connect to redirect');
const connectTo = connect;
/** A pod's loopback is the pod itself. The runtime's own callers pass the options inside an array. */
function podConnect(this: net.Socket, ...args: unknown[]): unknown {
  const [first] = args;
  const options: unknown = Array.isArray(first) ? first[0] : first;
  if (typeof options === 'object' && options !== null && LOOPBACK.includes(Reflect.get(options, 'host'))) {
    Reflect.set(options, 'host', podIp);
  }
  return Reflect.apply(connectTo, this, args);
}
Object.defineProperty(net.Socket.prototype, 'connect', {
  value: podConnect,
  writable: true,
  configurable: true,
});
