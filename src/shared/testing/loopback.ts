import type { ByteChannel, ChannelError, ChannelHandler } from '../engine/channel.ts';
import type { Engine, SecureChannel, TcpChannel, TlsContext } from '../engine/engine.ts';

/** Keeps what a channel delivers; every wait is for an event, never for time. */
export class ChannelRecorder implements ChannelHandler {
  readonly channel: ByteChannel;
  bytes = 0;
  ended = false;
  closed = false;
  drains = 0;
  error: ChannelError | undefined;
  onSlice: ((slice: Buffer) => void) | undefined;
  #chunks: Buffer[] = [];
  #waits: { readonly ready: () => boolean; readonly resolve: () => void }[] = [];

  constructor(channel: ByteChannel) {
    this.channel = channel;
    channel.setHandler(this);
  }

  onData(slice: Buffer): void {
    this.bytes += slice.length;
    if (this.onSlice === undefined) this.#chunks.push(Buffer.from(slice));
    else this.onSlice(slice);
    this.#wake();
  }

  onEnd(): void {
    this.ended = true;
    this.#wake();
  }

  onDrain(): void {
    this.drains++;
    this.#wake();
  }

  onClose(error: ChannelError | undefined): void {
    if (this.closed) throw new Error('onClose came twice');
    this.closed = true;
    this.error = error;
    this.#wake();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  received(bytes: number): Promise<void> {
    return this.until(() => this.bytes >= bytes);
  }

  /** Resolves with the error the channel closed with. */
  async close(): Promise<ChannelError | undefined> {
    await this.until(() => this.closed);
    return this.error;
  }

  until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise(resolve => this.#waits.push({ ready, resolve }));
  }

  #wake(): void {
    const due = this.#waits.filter(w => w.ready());
    this.#waits = this.#waits.filter(w => !due.includes(w));
    for (const wait of due) wait.resolve();
  }
}

/** A connected pair over TCP on the loopback interface; the listener is closed again. */
export async function tcpPair(
  engine: Engine,
  ip = '127.0.0.1',
): Promise<{ client: TcpChannel; server: TcpChannel }> {
  const accepted = Promise.withResolvers<TcpChannel>();
  const listener = await engine.listen({ ip, port: 0 }, accepted.resolve);
  const client = await engine.connect({ remote: { ip, port: listener.address.port }, timeoutMs: 5_000 });
  const server = await accepted.promise;
  await listener.close();
  return { client, server };
}

export interface TlsPairOptions {
  readonly client: TlsContext;
  readonly server: TlsContext;
  readonly alpn?: readonly string[];
  readonly timeoutMs?: number;
}

/** Both outcomes of one handshake. */
export async function tlsHandshakes(
  engine: Engine,
  options: TlsPairOptions,
): Promise<[client: PromiseSettledResult<SecureChannel>, server: PromiseSettledResult<SecureChannel>]> {
  const { client, server } = await tcpPair(engine);
  const tls = { alpn: options.alpn ?? ['h2'], timeoutMs: options.timeoutMs ?? 5_000, verifyPeer: true };
  return Promise.allSettled([
    engine.secureClient(client, options.client, tls),
    engine.secureServer(server, options.server, tls),
  ]);
}

export async function tlsPair(
  engine: Engine,
  options: TlsPairOptions,
): Promise<{ client: SecureChannel; server: SecureChannel }> {
  const [client, server] = await tlsHandshakes(engine, options);
  if (client.status === 'rejected') throw client.reason;
  if (server.status === 'rejected') throw server.reason;
  return { client: client.value, server: server.value };
}
