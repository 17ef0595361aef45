import { ChannelError, type ChannelHandler } from '#shared/engine/channel.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { ConnectionContext, LoadConnection } from './load-connection.ts';
import { ResponseScanner } from './response-scanner.ts';

/** HTTP/1.1 with one request under way. */
export class Http1Load implements LoadConnection, ChannelHandler {
  readonly #context: ConnectionContext;
  readonly #request: Buffer;
  readonly #scanner: ResponseScanner;
  #askedAt = 0;
  #isDone = false;

  constructor(context: ConnectionContext, request: Buffer, bodyBytes: number) {
    this.#context = context;
    this.#request = request;
    this.#scanner = new ResponseScanner(bodyBytes);
  }

  begin(): void {
    this.#context.channel.setHandler(this);
    this.#ask(this.#context.meter.now());
  }

  onData(slice: Buffer): void {
    const { channel, meter } = this.#context;
    try {
      if (!this.#scanner.read(slice)) return;
    } catch (error) {
      return channel.abort(new ChannelError('protocol', errorMessage(error)));
    }
    const now = meter.answered(this.#askedAt);
    if (!meter.isOver) return this.#ask(now);
    this.#isDone = true;
    channel.end();
  }

  onEnd(): void {
    if (!this.#isDone) this.#context.channel.abort(new ChannelError('reset', 'ended before its answer'));
  }

  onDrain(): void {}

  onClose(error: ChannelError | undefined): void {
    this.#context.onClosed(this.#isDone ? undefined : (error?.message ?? 'closed before its answer'));
  }

  #ask(now: number): void {
    this.#askedAt = now;
    this.#context.channel.write(this.#request);
  }
}
