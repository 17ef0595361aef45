import { Pipe } from '../../native/pipe.ts';
import { RecordFeed } from '../../native/record-feed.ts';
import { RecordStage } from '../../native/record-stage.ts';
import { closeFd } from '../../native/socket.ts';
import type { Clock } from '../../lifecycle/clock.ts';
import type { ChannelError } from '../channel.ts';
import type { EventLoop } from './event-loop.ts';
import type { FdLedger } from '../fd-ledger.ts';
import { newOutputChunks } from './output-buffer.ts';
import { RecordMemory } from './record-memory.ts';
import { newReadMemory, READ_BYTES, READ_OFFSET } from './read-memory.ts';

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
  readonly chunks = newOutputChunks();
  readonly readMemory = newReadMemory();
  /** For TLS; made with the first session. */
  #feed: RecordFeed | undefined;
  #stage: RecordStage | undefined;
  /** For TLS over byte channels; made with the first. */
  #records: RecordMemory | undefined;
  /** Made with the first relay, and kept. */
  #pipe: Pipe | undefined;
  /** For the bytes of the read memory that a header takes the place of, during one call. */
  readonly borrowed = Buffer.alloc(READ_OFFSET);
  /** Hears of faults of ours or of a handler, which cost one connection. */
  readonly onFault: (error: ChannelError) => void;
  readonly #ledger: FdLedger | undefined;

  constructor(options: NativeThreadOptions) {
    this.loop = options.loop;
    this.clock = options.clock;
    this.onFault = options.onFault;
    this.#ledger = options.ledger;
  }

  /** For relays; undefined when there is no descriptor left for it. */
  get pipe(): Pipe | undefined {
    return (this.#pipe ??= this.#openPipe());
  }

  #openPipe(): Pipe | undefined {
    try {
      const pipe = new Pipe(READ_BYTES);
      this.own(pipe.readFd);
      this.own(pipe.writeFd);
      return pipe;
    } catch {
      return undefined;
    }
  }

  get feed(): RecordFeed {
    return (this.#feed ??= new RecordFeed());
  }

  get stage(): RecordStage {
    return (this.#stage ??= new RecordStage());
  }

  get records(): RecordMemory {
    return (this.#records ??= new RecordMemory());
  }

  /** From here on the descriptor is this thread's: it is closed also when the thread ends without a word. */
  own(fd: number): void {
    this.#ledger?.add(fd);
  }

  close(fd: number): void {
    this.#ledger?.remove(fd);
    closeFd(fd);
  }

  /** Where in the read memory the slice begins; -1 when it is elsewhere. */
  offsetInReadMemory(slice: Uint8Array): number {
    const { bytes } = this.readMemory;
    return slice.buffer === bytes.buffer ? slice.byteOffset - bytes.byteOffset : -1;
  }
}
