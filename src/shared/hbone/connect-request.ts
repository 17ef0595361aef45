import type { SocketEndpoint } from '../engine/channel.ts';

/** An HBONE CONNECT request as the server hands it on: every field parsed, bounded and in canonical form. */
export interface ConnectRequest {
  /** `:authority` as received. */
  readonly authority: string;
  /** Canonical IP text without brackets, or a host name in lower case (to a waypoint). */
  readonly host: string;
  readonly hostKind: 'ip' | 'name';
  readonly port: number;
  /** Undefined when the header is absent or does not parse: it is information, never authority. */
  readonly baggage: Baggage | undefined;
  readonly forwarded: Forwarded | undefined;
  /** A well-formed W3C `traceparent`, as received. */
  readonly traceparent: string | undefined;
}

/** What the client says of the source workload. Missing members are empty strings. */
export interface Baggage {
  readonly clusterId: string;
  readonly namespace: string;
  /** `deployment`, `pod`, `job`, `cronjob`, … : the `<type>` of `k8s.<type>.name`. */
  readonly workloadType: string;
  readonly workloadName: string;
  readonly serviceName: string;
  readonly serviceVersion: string;
  readonly region: string;
  readonly zone: string;
}

/** RFC 7239, first element only. */
export interface Forwarded {
  /** Address of the original source; undefined when it is obfuscated (`_hidden`, `unknown`) or has no address form. */
  readonly source: SocketEndpoint | undefined;
  /** The destination's name where the client knew it; empty otherwise. */
  readonly host: string;
}

/** What a client asks for: the same fields before they are written as headers. */
export interface ConnectRequestInit {
  /** IP text (brackets are added for IPv6) or host name. */
  readonly host: string;
  readonly port: number;
  readonly baggage?: Baggage | undefined;
  readonly forwarded?: Forwarded | undefined;
  readonly traceparent?: string | undefined;
}
