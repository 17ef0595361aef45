/** A service that is asked whether a request may go on. */
export interface ExternalAuthorizer {
  /** As policies name it. */
  readonly name: string;
  /** `grpc`: `envoy.service.auth.v3.Authorization/Check`; `http`: the request's head to `pathPrefix` + its path. */
  readonly protocol: 'grpc' | 'http';
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** What becomes of a request when it does not answer. */
  readonly failOpen: boolean;
  /** Answered when it does not answer and `failOpen` is not set. */
  readonly statusOnError: number;
  readonly pathPrefix: string;
  /** How much of the body it gets to see; 0 is none. */
  readonly maxBodyBytes: number;
  /** A longer body: its beginning is sent; else the request is refused with 413. */
  readonly allowPartialBody: boolean;
  /** With gRPC: the body is `raw_body`, whatever it holds; else text is `body`, and bytes that are none `raw_body`. */
  readonly bodyAsBytes: boolean;
  /**
   * Lower case. What of the request's headers is sent. With HTTP `host`, `authorization`, method, path and length always are; with
   * gRPC an empty list is all of them.
   */
  readonly requestHeaders: readonly HeaderNameMatch[];
  /** Sent to it besides. */
  readonly addedHeaders: readonly { readonly name: string; readonly value: string }[];
  /** Of its allowing answer: put into the request, replacing what is there. */
  readonly headersToUpstream: readonly HeaderNameMatch[];
  /** Of its allowing answer: put into the response. */
  readonly headersToDownstreamOnAllow: readonly HeaderNameMatch[];
  /** Of its refusing answer: put into the response; empty is all of them. */
  readonly headersToDownstreamOnDeny: readonly HeaderNameMatch[];
}

export type HeaderNameMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string }
  | { readonly kind: 'any' };
