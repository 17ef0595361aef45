import { getHeader, type HeaderList, joinHeader } from '../http/headers.ts';
import { formatHostPort } from '../workload/ip.ts';
import { parseAuthority } from './authority.ts';
import { type Baggage, formatBaggage, parseBaggage } from './baggage.ts';
import { type Forwarded, formatForwarded, parseForwarded } from './forwarded.ts';
import { isTraceparent } from './traceparent.ts';

export type { Baggage } from './baggage.ts';
export type { Forwarded } from './forwarded.ts';

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

/** What a client asks for: the same fields before they are written as headers. */
export interface ConnectRequestInit {
  /** IP text (brackets are added for IPv6) or host name. */
  readonly host: string;
  readonly port: number;
  readonly baggage?: Baggage | undefined;
  readonly forwarded?: Forwarded | undefined;
  readonly traceparent?: string | undefined;
}

export type ParsedConnect =
  | { readonly ok: true; readonly request: ConnectRequest }
  | { readonly ok: false; readonly reason: string };

/** From header fields that the HTTP/2 layer has checked (RFC 9113 §8.3, §8.5). Unknown fields are ignored. */
export function parseConnectRequest(fields: HeaderList): ParsedConnect {
  const method = getHeader(fields, ':method');
  if (method !== 'CONNECT') return { ok: false, reason: `the method is ${method}: HBONE takes CONNECT only` };
  if (getHeader(fields, ':protocol') !== undefined)
    return { ok: false, reason: 'extended CONNECT is not a tunnel' };
  const authority = getHeader(fields, ':authority') ?? '';
  const parsed = parseAuthority(authority);
  if (typeof parsed === 'string') return { ok: false, reason: parsed };
  const { host, hostKind, port } = parsed;
  const baggage = optional(joinHeader(fields, 'baggage'), parseBaggage);
  const forwarded = optional(joinHeader(fields, 'forwarded'), parseForwarded);
  const traceparent = joinHeader(fields, 'traceparent');
  const isTraced = traceparent !== undefined && isTraceparent(traceparent);
  return {
    ok: true,
    request: {
      authority,
      host,
      hostKind,
      port,
      baggage,
      forwarded,
      traceparent: isTraced ? traceparent : undefined,
    },
  };
}

/** Header fields of the request, pseudo-header fields first (RFC 9113 §8.5: no `:scheme`, no `:path`). */
export function connectRequestFields(init: ConnectRequestInit): HeaderList {
  const authority = formatHostPort(init.host, init.port);
  const baggage = init.baggage === undefined ? '' : formatBaggage(init.baggage);
  const forwarded = init.forwarded === undefined ? '' : formatForwarded(init.forwarded);
  // In one piece: a list that grows takes room for many more.
  const fields = [':method', 'CONNECT', ':authority', authority, 'baggage', baggage, 'forwarded', forwarded];
  if (init.traceparent !== undefined) fields.push('traceparent', init.traceparent);
  return baggage === '' || forwarded === '' ? withoutEmpty(fields) : fields;
}

function withoutEmpty(fields: HeaderList): HeaderList {
  return fields.filter((_, i) => fields[i | 1] !== '');
}

function optional<T>(text: string | undefined, parse: (text: string) => T | undefined): T | undefined {
  return text === undefined ? undefined : parse(text);
}
