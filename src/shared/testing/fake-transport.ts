import type { DeltaRequest, DeltaResponse } from '../discovery/delta-message.ts';
import type { DeltaStreamEvents, DeltaTransport } from '../discovery/delta-transport.ts';

/** For tests: streams whose other end is the test itself. */
export class FakeTransport implements DeltaTransport {
  readonly address = 'controller:15012';
  readonly streams: FakeStream[] = [];
  /** Thrown by `open`, as unreadable credentials are. */
  failure: Error | undefined;

  open(events: DeltaStreamEvents): FakeStream {
    if (this.failure !== undefined) throw this.failure;
    const stream = new FakeStream(events);
    this.streams.push(stream);
    return stream;
  }

  get last(): FakeStream {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error('no stream was opened');
    return stream;
  }
}

export class FakeStream {
  readonly sent: DeltaRequest[] = [];
  cancelled = false;
  readonly #events: DeltaStreamEvents;

  constructor(events: DeltaStreamEvents) {
    this.#events = events;
  }

  send(request: DeltaRequest): void {
    this.sent.push(request);
  }

  cancel(): void {
    this.cancelled = true;
  }

  respond(response: Partial<DeltaResponse> & Pick<DeltaResponse, 'typeUrl'>): void {
    const empty = { nonce: '1', systemVersion: '1', resources: [], removed: [], moreFollows: false };
    this.#events.onResponse({ ...empty, ...response }, 100);
  }

  end(reason: string): void {
    this.#events.onEnd(reason);
  }
}
