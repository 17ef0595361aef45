import type { CidrMatch } from '../authz/policy.ts';
import type { RouteBackend, SourceMatch } from './model.ts';

/** Where connections go that are not HTTP. */
export interface StreamRule {
  /** As of `RouteRule`, like the other fields of these names. */
  readonly name: string;
  /** `tls`: passed through unopened, and matched by the name the client asks for. */
  readonly protocol: 'tcp' | 'tls';
  readonly ports: readonly number[];
  readonly consumer: string | undefined;
  readonly callers: readonly string[];
  /** Any of them; empty matches every connection. */
  readonly matches: readonly StreamMatch[];
  /** Without filters. */
  readonly backends: readonly RouteBackend[];
  readonly idleTimeoutMs: number | undefined;
}

/** All set fields must match. */
export interface StreamMatch {
  /** Server names, exact or `*.suffix`; empty is any, and connections without one too. */
  readonly serverNames: readonly string[];
  /** The address the client dialled; empty is any. */
  readonly destinationIps: readonly CidrMatch[];
  /** The address of the client, as authorization sees it; empty is any. */
  readonly sourceIps: readonly CidrMatch[];
  readonly source: SourceMatch | undefined;
}
