import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { errorMessage } from '../observability/error-message.ts';
import type { LogLevels } from '../observability/logger.ts';
import type { FamilySnapshot } from '../observability/metric-set.ts';
import type { MeshDelta } from '../workload/mesh-view.ts';
import type { CommonToWorker, FromWorker, OwnToWorker, ToWorker, WorkerProtocol } from './messages.ts';

export type Reply<P extends WorkerProtocol> = (message: FromWorker<P>) => void;

/** What the thread of every tier can do. */
export interface ServedThread {
  apply(delta: MeshDelta): void;
  metrics(): readonly FamilySnapshot[];
  /** Stops accepting, lets what is open end, cuts it at the deadline. */
  drain(deadlineMs: number): Promise<unknown>;
}

export interface ServeOptions<P extends WorkerProtocol> {
  readonly port: MessagePort;
  readonly levels: LogLevels;
  readonly thread: ServedThread;
  /** Where the lines of this thread are gathered. */
  readonly lines: { flush(): void };
  readonly connections: () => P['connections'];
  /** What the thread measures of what it runs on. */
  readonly measured: () => readonly FamilySnapshot[];
  /** What is said in this tier alone. */
  readonly obey: (message: OwnToWorker<P>, reply: Reply<P>) => void;
}

/** Does what the main thread says until the port closes, beginning with the word that this thread is ready. */
export function serveMainThread<P extends WorkerProtocol>(options: ServeOptions<P>): void {
  const { obey, port } = options;
  const reply: Reply<P> = message => port.postMessage(message);
  port.on('message', (message: ToWorker<P>) => {
    if (isCommon<P>(message)) obeyCommon(options, message, reply);
    else obey(message, reply);
  });
  reply({ kind: 'ready' });
}

const COMMON: ReadonlySet<string> = new Set<CommonToWorker['kind']>([
  'delta',
  'log_level',
  'metrics',
  'connections',
  'drain',
]);

function isCommon<P extends WorkerProtocol>(message: ToWorker<P>): message is CommonToWorker {
  return COMMON.has(message.kind);
}

function obeyCommon<P extends WorkerProtocol>(
  { connections, levels, lines, measured, thread }: ServeOptions<P>,
  message: CommonToWorker,
  reply: Reply<P>,
): void {
  switch (message.kind) {
    case 'delta':
      thread.apply(message.delta);
      reply({ kind: 'applied' });
      return;
    case 'log_level':
      levels.set(message.level, message.scope);
      return;
    case 'metrics':
      reply({ kind: 'metrics', id: message.id, families: [...thread.metrics(), ...measured()] });
      return;
    case 'connections':
      reply({ kind: 'connections', id: message.id, connections: connections() });
      return;
    case 'drain':
      void replyWhenDone(message.id, drainAndFlush(thread, lines, message.deadlineMs), reply);
      return;
  }
}

/**
 * The main thread ends this one as soon as it hears that the drain is over. The last requests write their lines as they
 * end, those that were cut a turn later; none of them may be lost with the thread.
 */
async function drainAndFlush(
  thread: ServedThread,
  lines: { flush(): void },
  deadlineMs: number,
): Promise<void> {
  try {
    await thread.drain(deadlineMs);
  } finally {
    await nextTurn();
    lines.flush();
  }
}

/** Replies to the request `id` when the work is done, or with why it failed. Never rejects. */
export async function replyWhenDone(
  id: number,
  work: Promise<unknown>,
  reply: (message: { kind: 'done'; id: number; error: string | undefined }) => void,
): Promise<void> {
  try {
    await work;
    reply({ kind: 'done', id, error: undefined });
  } catch (error) {
    reply({ kind: 'done', id, error: errorMessage(error) });
  }
}
