import { joinHeader } from '#shared/http/headers.ts';
import type { RateLimitEntry } from '#shared/route/route-filter.ts';
import { pathOf } from '#shared/route/path.ts';

export type Descriptor = readonly { readonly key: string; readonly value: string }[];

/** What entries of descriptors are made of. */
export interface DescribedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly sourceIp: string;
  readonly sourceIdentity: string | undefined;
  /** `<namespace>/<hostname>`. */
  readonly service: string;
}

/** A descriptor with an entry that yields nothing is left out: its limit is not for this request. Pure. */
export function describe(
  descriptors: readonly (readonly RateLimitEntry[])[],
  request: DescribedRequest,
): readonly Descriptor[] {
  const described: Descriptor[] = [];
  for (const entries of descriptors) {
    const descriptor = entries.map(entry => ({ key: keyOf(entry), value: valueOf(entry, request) ?? '' }));
    if (descriptor.every(({ value }) => value !== '')) described.push(descriptor);
  }
  return described;
}

/** Envoy's words where it has one. */
function keyOf(entry: RateLimitEntry): string {
  switch (entry.kind) {
    case 'generic':
    case 'header':
      return entry.key;
    case 'source_ip':
      return 'remote_address';
    case 'source_identity':
      return 'source_identity';
    case 'service':
      return 'destination_service';
    case 'method':
      return 'method';
    case 'path':
      return 'path';
  }
}

function valueOf(entry: RateLimitEntry, request: DescribedRequest): string | undefined {
  switch (entry.kind) {
    case 'generic':
      return entry.value;
    case 'header':
      return joinHeader(request.headers, entry.header);
    case 'source_ip':
      return request.sourceIp;
    case 'source_identity':
      return request.sourceIdentity;
    case 'service':
      return request.service;
    case 'method':
      return request.method;
    case 'path':
      return pathOf(request.path);
  }
}
