import { closeFd } from '../../native/socket.ts';
import type { Clock } from '../../lifecycle/clock.ts';
import type { ChannelError } from '../channel.ts';
import type { EventLoop } from './event-loop.ts';
import type { FdLedger } from '../fd-ledger.ts';
import { ChunkPool } from './output-buffer.ts';
import { newReadMemory, READ_OFFSET } from './read-memory.ts';

export interface NativeThreadOptions {
  readonly loop: EventLoop;
  readonly clock: Clock;
  readonly ledger: FdLedger | undefined;
  readonly onFault: (error: ChannelError) => void;
}

/** What all connections of one thread share. */
export class NativeThread {
  readonly loop: EventLoop;
  readonly clock: Clock;
  readonly chunks = new ChunkPool();
  readonly readMemory = newReadMemory();
  /** Hears of faults of ours or of a handler, which cost one connection. */
  readonly onFault: (error: ChannelError) => void;
  readonly #ledger: FdLedger | undefined;

  constructor(options: NativeThreadOptions) {
    this.loop = options.loop;
    this.clock = options.clock;
    this.onFault = options.onFault;
    this.#ledger = options.ledger;
  }

  /** From here on the descriptor is this thread's: it is closed also when the thread ends without a word. */
  own(fd: number): void {
    this.#ledger?.add(fd);
  }

  close(fd: number): void {
    this.#ledger?.remove(fd);
    closeFd(fd);
  }

  /** Whether the slice is what a read of this thread has just delivered, from its first byte. */
  isAtReadOffset(slice: Uint8Array): boolean {
    const { bytes } = this.readMemory;
    return slice.buffer === bytes.buffer && slice.byteOffset === bytes.byteOffset + READ_OFFSET;
  }
}
