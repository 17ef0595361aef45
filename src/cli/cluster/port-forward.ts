import type { KubeConfig } from '@kubernetes/client-node';
import { Duplex, PassThrough, Writable } from 'node:stream';
import { CliError } from '../cli-error.ts';

const CONNECT_DEADLINE_MS = 10_000;

interface ForwardSocket {
  close(): void;
  on(event: 'close', listener: () => void): unknown;
}

/**
 * A connection to a port inside a pod's network namespace, through the API server and the kubelet. Destroying it ends the
 * forward. Rejects when the API server does not open it within 10 s; a port nobody listens on is an error of the stream.
 */
export async function forwardToPod(
  config: KubeConfig,
  namespace: string,
  pod: string,
  port: number,
): Promise<Duplex> {
  const { PortForward } = await import('@kubernetes/client-node');
  const input = new PassThrough();
  const stream = new ForwardedStream(input);
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      stream.push(chunk);
      done();
    },
  });
  const errors = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      // The kubelet also sends an empty message here when all is well.
      const message = chunk.toString('utf8').trim();
      if (message !== '') stream.destroy(new Error(forwardError(message)));
      done();
    },
  });
  const opening: Promise<unknown> = new PortForward(config, true).portForward(
    namespace,
    pod,
    [port],
    output,
    errors,
    input,
  );
  const socket = await withDeadline(opening, namespace, pod);
  stream.attach(socket);
  return stream;
}

/** What the kubelet says of a port nobody listens on holds the container's id, and a reason for each address family. */
function forwardError(message: string): string {
  return message.includes('connection refused') ? 'connection refused inside the pod' : message.slice(0, 300);
}

class ForwardedStream extends Duplex {
  readonly #input: PassThrough;
  #socket: ForwardSocket | undefined;

  constructor(input: PassThrough) {
    super({ allowHalfOpen: false });
    this.#input = input;
  }

  attach(socket: ForwardSocket): void {
    this.#socket = socket;
    socket.on('close', () => this.push(null));
    if (this.destroyed) socket.close();
  }

  override _read(): void {
    // What arrives is pushed as it comes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#input.write(chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#input.destroy();
    this.#socket?.close();
    done(error);
  }
}

async function withDeadline(
  opening: Promise<unknown>,
  namespace: string,
  pod: string,
): Promise<ForwardSocket> {
  const expired = Promise.withResolvers<never>();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    expired.reject(new Error(`not open within ${CONNECT_DEADLINE_MS / 1000} s`));
  }, CONNECT_DEADLINE_MS);
  // One that opens after all is not left open.
  opening.then(
    socket => late && isForwardSocket(socket) && socket.close(),
    () => undefined,
  );
  try {
    const socket = await Promise.race([opening, expired.promise]);
    if (isForwardSocket(socket)) return socket;
    throw new Error('closed at once');
  } catch (error) {
    throw openingFailure(namespace, pod, reasonOf(error));
  } finally {
    clearTimeout(timer);
  }
}

/** Whoever may read everything may not yet open connections: that is no fault of the pod. */
export function openingFailure(namespace: string, pod: string, reason: string): Error {
  const status = /^Unexpected server response: (\d{3})$/.exec(reason)?.[1];
  if (status === '403')
    return new CliError(
      `you may not reach ${namespace}/${pod}: that takes the right to create pods/portforward in namespace ${namespace}`,
    );
  if (status === '404') return new CliError(`cannot reach ${namespace}/${pod}: the pod is gone`);
  return new Error(`port-forward to ${namespace}/${pod}: ${reason}`);
}

function isForwardSocket(value: unknown): value is ForwardSocket {
  return typeof value === 'object' && value !== null && 'close' in value && 'on' in value;
}

/** The WebSocket library rejects with an event that has a message, not with an Error. */
function reasonOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}
