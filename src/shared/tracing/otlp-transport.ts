/** How an attempt to deliver spans ended. */
export type Delivery =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly retriable: boolean };

/** Takes the bytes of trace requests to a collector. */
export interface OtlpTransport {
  /** Where to, for the log. */
  readonly address: string;
  /** Never rejects; ends within a deadline of its own. */
  send(body: Buffer): Promise<Delivery>;
  close(): void;
}

export const SEND_TIMEOUT_MS = 10_000;
