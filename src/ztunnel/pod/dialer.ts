import type { CancelSignal } from '#shared/lifecycle/cancellation.ts';
import { ChannelError, type SocketEndpoint } from '#shared/engine/channel.ts';
import type { CongestionPolicy } from '#shared/engine/congestion-policy.ts';
import type { Engine, TcpChannel } from '#shared/engine/engine.ts';
import { openOutgoingSocket, WITHIN_NAMESPACE } from '#shared/native/socket-factory.ts';
import { SystemCallError } from '#shared/native/system-error.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { isIpv6, isLoopback } from '#shared/workload/ip.ts';

/** Makes the TCP connections of one local workload. Rejects with `ChannelError`. */
export interface Dialer {
  /** To another proxy. */
  dialProxy(remote: SocketEndpoint, signal?: CancelSignal): Promise<TcpChannel>;
  /** Outside the mesh. */
  dial(remote: SocketEndpoint, signal?: CancelSignal): Promise<TcpChannel>;
  /** To the workload's own application, which sees `sourceIp` as its client where that can be done. */
  dialApplication(target: SocketEndpoint, sourceIp: string, signal?: CancelSignal): Promise<TcpChannel>;
}

export interface DialerOptions {
  readonly engine: Engine;
  readonly connectTimeoutMs: number;
  /** Of connections with other proxies. */
  readonly tunnelCongestion: CongestionPolicy | undefined;
}

interface ConnectionOptions {
  readonly source?: SocketEndpoint | undefined;
  readonly toApplication?: boolean;
  readonly congestionControl?: string;
  readonly congestion?: CongestionPolicy | undefined;
}

export interface NetnsDialerOptions extends DialerOptions {
  readonly netnsFd: number;
  readonly originalSource: boolean;
}

/**
 * For a captured pod: sockets of its own network namespace, marked so that its capture rules let them pass.
 * `originalSource` false (`ENABLE_ORIG_SRC`): the application sees the pod's own address.
 */
export function netnsDialer(options: NetnsDialerOptions): Dialer {
  const { engine, connectTimeoutMs: timeoutMs, netnsFd, originalSource } = options;
  const connect = (
    remote: SocketEndpoint,
    { congestion, ...socket }: ConnectionOptions,
    signal: CancelSignal | undefined,
  ): Promise<TcpChannel> => {
    try {
      const fd = openOutgoingSocket({ netnsFd, remoteIp: remote.ip, ...socket });
      return engine.connect({ remote, timeoutMs, fd, congestion }, signal);
    } catch (cause) {
      return Promise.reject(socketError(remote, cause));
    }
  };
  return {
    dialProxy: (remote, signal) => connect(remote, { congestion: options.tunnelCongestion }, signal),
    dial: (remote, signal) => connect(remote, {}, signal),
    dialApplication(target, sourceIp, signal) {
      const spoof = originalSource && sourceIp !== target.ip && isIpv6(sourceIp) === isIpv6(target.ip);
      const source = spoof ? { ip: sourceIp, port: 0 } : undefined;
      return connect(target, { source, toApplication: true, congestionControl: WITHIN_NAMESPACE }, signal);
    },
  };
}

/**
 * For a single workload outside a cluster: ordinary sockets, from its own address so that peers know who it is. With
 * `originalSource` the application sees the client's own address where both are of the loopback range: any process may
 * send from any address of that range, and every answer finds its way back.
 */
export function plainDialer(
  options: DialerOptions & { localIps: readonly string[]; originalSource: boolean },
): Dialer {
  const { engine, connectTimeoutMs: timeoutMs, localIps, originalSource } = options;
  const dial = (
    remote: SocketEndpoint,
    signal: CancelSignal | undefined,
    { sourceIp, congestion }: { sourceIp?: string | undefined; congestion?: CongestionPolicy | undefined },
  ) => {
    const ip =
      sourceIp ?? localIps.find(own => isIpv6(own) === isIpv6(remote.ip) && canReach(own, remote.ip));
    const target = { remote, timeoutMs, congestion };
    return engine.connect(ip === undefined ? target : { ...target, local: { ip, port: 0 } }, signal);
  };
  return {
    dialProxy: (remote, signal) => dial(remote, signal, { congestion: options.tunnelCongestion }),
    dial: (remote, signal) => dial(remote, signal, {}),
    dialApplication(target, sourceIp, signal) {
      const spoof = originalSource && canSpoof(sourceIp, target.ip);
      return dial(target, signal, { sourceIp: spoof ? sourceIp : undefined });
    },
  };
}

function canSpoof(sourceIp: string, targetIp: string): boolean {
  return isLoopback(sourceIp) && isLoopback(targetIp) && isIpv6(sourceIp) === isIpv6(targetIp);
}

/** What leaves the machine cannot leave with a loopback address; the kernel chooses another one then. */
function canReach(ownIp: string, remoteIp: string): boolean {
  return !isLoopback(ownIp) || isLoopback(remoteIp);
}

function socketError(remote: SocketEndpoint, cause: unknown): ChannelError {
  const exhausted = cause instanceof SystemCallError && (cause.code === 'EMFILE' || cause.code === 'ENFILE');
  const why = errorMessage(cause);
  return new ChannelError(exhausted ? 'resource_exhausted' : 'io', `no socket to ${remote.ip}: ${why}`, {
    cause,
  });
}
