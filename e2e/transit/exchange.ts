import type { Socket } from 'node:net';
import { Pattern } from './pattern.ts';

export interface ExchangeResult {
  readonly sent: number;
  readonly verified: number;
  /** The peer ended its direction in order. */
  readonly sawEnd: boolean;
  readonly error: string | undefined;
}

export interface ExchangeOptions {
  readonly sendSeed: number;
  readonly receiveSeed: number;
  /** Sent before the end; Infinity never ends. */
  readonly bytes: number;
  /** Resets the connection once this much has been verified. */
  readonly resetAfter: number | undefined;
  readonly random: () => number;
}

const MAX_WRITE_BYTES = 200_000;
const PAUSE_CHANCE = 0.02;
const MAX_PAUSE_MS = 20;

/** Sends one pattern and checks another on the same connection, with pauses of either direction at random. */
export function exchange(socket: Socket, options: ExchangeOptions): Promise<ExchangeResult> {
  const outgoing = new Pattern(options.sendSeed);
  const incoming = new Pattern(options.receiveSeed);
  let [sent, verified, sawEnd] = [0, 0, false];
  let error: string | undefined;
  const pause = (go: () => void): void => void setTimeout(go, options.random() * MAX_PAUSE_MS);
  const send = (): void => {
    while (!socket.destroyed && sent < options.bytes) {
      if (options.random() < PAUSE_CHANCE) return pause(send);
      const wanted = Math.min(options.bytes - sent, 1 + Math.floor(options.random() * MAX_WRITE_BYTES));
      const slice = outgoing.from(sent, wanted);
      sent += slice.length;
      if (!socket.write(slice)) return void socket.once('drain', send);
    }
    socket.end();
  };
  const receive = (slice: Buffer): void => {
    if (!incoming.matches(verified, slice)) {
      error = `other bytes than were sent, at ${verified}`;
      socket.destroy();
      return;
    }
    verified += slice.length;
    if (options.resetAfter !== undefined && verified >= options.resetAfter) socket.resetAndDestroy();
    else if (options.random() < PAUSE_CHANCE) {
      socket.pause();
      pause(() => socket.resume());
    }
  };
  return new Promise(resolve => {
    socket.on('data', receive);
    socket.on('end', () => (sawEnd = true));
    socket.on('error', cause => (error ??= 'code' in cause ? String(cause.code) : cause.message));
    socket.on('close', () => resolve({ sent, verified, sawEnd, error }));
    send();
  });
}
