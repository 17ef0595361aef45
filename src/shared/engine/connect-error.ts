import { ChannelError } from './channel.ts';
import type { ConnectTarget } from './engine.ts';
import { formatEndpoint } from './transport-error.ts';

/** No answer within the target's deadline. */
export function connectTimedOut(target: ConnectTarget): ChannelError {
  const peer = formatEndpoint(target.remote);
  return new ChannelError(
    'connect_timeout',
    `connect to ${peer}: no answer within ${target.timeoutMs} ms: is the pod running, and does a NetworkPolicy block the port?`,
  );
}

export function connectAborted(target: ConnectTarget): ChannelError {
  return new ChannelError('aborted', `connect to ${formatEndpoint(target.remote)}: given up by the caller`);
}
