import type { ResponseHead } from '#shared/http/exchange.ts';

/** A response that filters give instead of an upstream. */
export interface FilterResponse {
  readonly head: ResponseHead;
  readonly body: string | Buffer;
}
