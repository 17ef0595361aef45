import type { HeaderValue } from '#shared/route/route-filter.ts';
import { bytesOf, ProtoError, readProto, textOf } from '../callout/proto-reader.ts';
import { ProtoWriter } from '../callout/proto-writer.ts';
import type { Descriptor } from './rate-limit-descriptor.ts';
import { isSettable } from './header-names.ts';

/** `envoy.service.ratelimit.v3.RateLimitRequest` and `RateLimitResponse`, as far as they mean something here. */

export function encodeRateLimit(domain: string, descriptors: readonly Descriptor[]): Buffer {
  const writer = new ProtoWriter().text(1, domain);
  for (const descriptor of descriptors) {
    writer.message(2, message => {
      for (const { key, value } of descriptor)
        message.message(1, entry => entry.text(1, key).headerText(2, value));
    });
  }
  return writer.finish();
}

export type RateLimitVerdict =
  | {
      readonly kind: 'ok' | 'over_limit';
      readonly requestHeaders: readonly HeaderValue[];
      readonly responseHeaders: readonly HeaderValue[];
      readonly body: Buffer;
    }
  | { readonly kind: 'error'; readonly reason: string };

const OVER_LIMIT = 2;

/** Never throws: what cannot be read is an error of the service. */
export function decodeRateLimit(message: Buffer): RateLimitVerdict {
  try {
    return readVerdict(message);
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    return { kind: 'error', reason: `not a RateLimitResponse: ${error.message}` };
  }
}

function readVerdict(message: Buffer): RateLimitVerdict {
  let code = 0;
  let body: Buffer = Buffer.alloc(0);
  const requestHeaders: HeaderValue[] = [];
  const responseHeaders: HeaderValue[] = [];
  readProto(message, field => {
    if (field.number === 1) code = field.value;
    else if (field.number === 3) responseHeaders.push(readHeader(bytesOf(field)));
    else if (field.number === 4) requestHeaders.push(readHeader(bytesOf(field)));
    else if (field.number === 5) body = bytesOf(field);
  });
  if (code === 0) return { kind: 'error', reason: 'it answered with code UNKNOWN' };
  return { kind: code === OVER_LIMIT ? 'over_limit' : 'ok', requestHeaders, responseHeaders, body };
}

function readHeader(message: Buffer): HeaderValue {
  let name = '';
  let value = '';
  readProto(message, field => {
    if (field.number === 1) name = textOf(field).toLowerCase();
    else if (field.number === 2 || field.number === 3) value = bytesOf(field).toString('latin1');
  });
  if (!isSettable(name, value)) throw new ProtoError(`header ${JSON.stringify(name)} cannot be set`);
  return { name, value };
}
