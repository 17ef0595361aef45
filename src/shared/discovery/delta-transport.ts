import type { DeltaRequest, DeltaResponse } from './delta-message.ts';

/** A stream of delta discovery, whatever carries it: gRPC (`controller-channel.ts`), or a fake in tests. */
export interface DeltaTransport {
  /**
   * Opens one stream. Exactly one `onEnd` follows, unless `cancel` was called first; nothing follows after either.
   * @throws Error when credentials cannot be read.
   */
  open(events: DeltaStreamEvents): DeltaStream;
  /** Host and port, for logs and status. */
  readonly address: string;
}

export interface DeltaStream {
  send(request: DeltaRequest): void;
  cancel(): void;
}

export interface DeltaStreamEvents {
  onResponse(response: DeltaResponse, bytes: number): void;
  /** `reason` says what the peer or the network said. */
  onEnd(reason: string): void;
}
