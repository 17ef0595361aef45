import type { HeaderList } from '#shared/http/headers.ts';
import { parseTraceparent } from '#shared/observability/trace-context.ts';

/** Where a request stands in a trace, as its headers say. */
export interface FoundContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly parentId: string;
  /** Undefined: whoever comes next is to decide (B3). */
  readonly sampled: boolean | undefined;
  /** How it came, and is to go on. */
  readonly format: 'w3c' | 'b3' | 'b3multi';
}

const B3 = /^(?:([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?|([01d]))$/;
const ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
const ZEROS = /^0+$/;

/**
 * W3C's `traceparent` first, then B3 in one header, then B3 in several. What is malformed counts as absent. Pure.
 * @returns undefined when there is no trace yet
 */
export function findContext(headers: HeaderList): FoundContext | undefined {
  let b3: string | undefined;
  let traceId: string | undefined;
  let parentId = '';
  let flag: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] ?? '';
    switch (headers[i] ?? '') {
      case 'traceparent': {
        const context = parseTraceparent(value);
        if (context !== undefined) return { ...context, format: 'w3c' };
        break;
      }
      case 'b3':
        b3 ??= value;
        break;
      case 'x-b3-traceid':
        traceId ??= value.toLowerCase();
        break;
      case 'x-b3-spanid':
        parentId = value.toLowerCase();
        break;
      case 'x-b3-sampled':
        flag ??= value;
        break;
      case 'x-b3-flags':
        if (value === '1') flag = 'd';
        break;
      default:
    }
  }
  if (b3 !== undefined) return parseB3(b3.toLowerCase());
  return traceId === undefined ? undefined : fromParts(traceId, parentId, flag, 'b3multi');
}

function parseB3(value: string): FoundContext | undefined {
  const match = B3.exec(value);
  const [, traceId, parentId = '', flag] = match ?? [];
  return traceId === undefined ? undefined : fromParts(traceId, parentId, flag, 'b3');
}

function fromParts(
  traceId: string,
  parentId: string,
  flag: string | undefined,
  format: FoundContext['format'],
): FoundContext | undefined {
  if (
    !ID.test(traceId) ||
    ZEROS.test(traceId) ||
    parentId.length !== 16 ||
    !ID.test(parentId) ||
    ZEROS.test(parentId)
  )
    return undefined;
  const sampled = flag === undefined ? undefined : flag === '1' || flag === 'd' || flag === 'true';
  return { traceId: traceId.padStart(32, '0'), parentId, sampled, format };
}
