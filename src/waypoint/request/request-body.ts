import type { ClientExchange } from '#shared/http/exchange.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import { MAX_REPLAY_BYTES, ReplayBuffer } from '../retry/replay-buffer.ts';

interface Hold {
  readonly maxBytes: number;
  readonly onHeld: (body: Buffer, complete: boolean) => void;
}

/**
 * Whether a body is kept to be sent again, or passes once; what is meant for a tunnel waits until that is open, so that no
 * try before has got any of it.
 */
export type BodyUse = 'replayed' | 'once' | 'tunnel';

/**
 * The body of one request on its way to whichever try is under way: straight through while there is one, held while a
 * connection is being made, and kept for another try as long as it is short enough.
 */
export class RequestBody {
  readonly #use: BodyUse;
  readonly #replay: ReplayBuffer | undefined;
  #exchange: ClientExchange | undefined;
  /** Made when something has to be held for the first time. */
  #held: Buffer[] | undefined;
  #heldBytes = 0;
  #trailers: HeaderList | undefined;
  #hold: Hold | undefined;
  bytes = 0;

  constructor(use: BodyUse) {
    this.#use = use;
    this.#replay = use === 'replayed' ? new ReplayBuffer() : undefined;
  }

  get ended(): boolean {
    return this.#trailers !== undefined;
  }

  /** Of a body that has ended. */
  get trailers(): HeaderList | undefined {
    return this.#trailers;
  }

  /** The upstream has been given all of it. */
  get delivered(): boolean {
    return this.#trailers !== undefined && this.#exchange !== undefined;
  }

  /** Everything read so far can be sent again. */
  get replayable(): boolean {
    if (this.#use === 'tunnel') return this.#exchange === undefined;
    return this.#replay?.replayable ?? this.bytes === 0;
  }

  /** @returns false to ask for a pause */
  append(slice: Buffer): boolean {
    this.bytes += slice.length;
    this.#replay?.append(slice);
    if (this.#exchange !== undefined) return this.#exchange.sendBody(slice);
    (this.#held ??= []).push(Buffer.from(slice));
    this.#heldBytes += slice.length;
    const room = Math.max(MAX_REPLAY_BYTES, this.#hold?.maxBytes ?? 0);
    this.#checkHold();
    return this.#heldBytes <= room;
  }

  end(trailers: HeaderList): void {
    this.#trailers = trailers;
    this.#checkHold();
    this.#exchange?.endBody(trailers);
  }

  /** While there is no try: calls back once all of the body is here, or more than `maxBytes`; perhaps at once. */
  hold(maxBytes: number, onHeld: Hold['onHeld']): void {
    this.#hold = { maxBytes, onHeld };
    this.#checkHold();
  }

  /** What has come so far while there was no try. */
  held(): Buffer {
    const held = this.#held ?? [];
    const [only] = held;
    return held.length === 1 && only !== undefined ? only : Buffer.concat(held);
  }

  #checkHold(): void {
    const hold = this.#hold;
    const complete = this.#trailers !== undefined;
    if (hold === undefined || (!complete && this.#heldBytes <= hold.maxBytes)) return;
    this.#hold = undefined;
    hold.onHeld(this.held(), complete);
  }

  /** A try is ready: it gets everything so far. */
  attach(exchange: ClientExchange): void {
    this.#exchange = exchange;
    const held = this.#held;
    this.#held = undefined;
    this.#heldBytes = 0;
    if (held !== undefined) for (const slice of held) exchange.sendBody(slice);
    if (this.#trailers !== undefined) exchange.endBody(this.#trailers);
  }

  /** The try has failed: what it got is held for the next one. To be called only while `replayable`. */
  rewind(): void {
    if (this.#use === 'tunnel') return;
    this.#exchange = undefined;
    const bytes = Buffer.from(this.#replay?.contents() ?? []);
    this.#held = bytes.length === 0 ? undefined : [bytes];
    this.#heldBytes = bytes.length;
  }

  /** Another one with all of it, for a try beside the one that has this. Of a body that has ended and is `replayable`. */
  copy(): RequestBody {
    const twin = new RequestBody('replayed');
    const bytes = Buffer.from(this.#replay?.contents() ?? []);
    if (bytes.length > 0) twin.append(bytes);
    twin.end(this.#trailers ?? []);
    return twin;
  }

  /** The response has begun, or the request is over: there will be no other try. */
  commit(): void {
    this.#replay?.discard();
  }
}
