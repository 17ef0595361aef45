import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { errorMessage } from '../observability/error-message.ts';
import { isWireFields, type WireFields } from './wire-fields.ts';

/**
 * Protobuf as bytes ↔ plain fields: the only importer of protobufjs. What comes out is unchecked (`WireFields`) and is
 * turned into internal types by the `*-wire.ts` files; what goes in is a plain object with the names of the `.proto` files.
 */
export interface MessageCodec {
  encode(fields: object): Buffer;
  /** @throws MessageError when the bytes are too many, truncated, not this message, or nested deeper than `MAX_DEPTH`. */
  decode(bytes: Uint8Array): WireFields;
}

export class MessageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MessageError';
  }
}

/** One resource: a service with 10,000 subsets still fits, a body that is not configuration does not. */
const MAX_RESOURCE_BYTES = 8 * 1024 * 1024;
/** A whole response or request: what gRPC is told to accept. A foreign control plane sends all resources in one message. */
export const MAX_MESSAGE_BYTES = 200 * 1024 * 1024;
/** Deeper than any message of ours; only `google.protobuf.Struct` can nest without end. */
const MAX_DEPTH = 32;

const FILES = [
  'istio-workload.proto',
  'istio-security.proto',
  'istio-auth.proto',
  'istio-zds.proto',
  'envoy-discovery.proto',
  'service-routes.proto',
  'trust-bundle.proto',
] as const;

const GOOGLE_TYPES = ['any', 'duration', 'empty', 'struct', 'wrappers'] as const;

protobuf.Reader.recursionLimit = MAX_DEPTH;

const root = loadRoot();

/** Codec of a message by its full name, e.g. `istio.workload.Address`. Throws when there is no such message. */
export function messageCodec(fullName: string, maxBytes = MAX_RESOURCE_BYTES): MessageCodec {
  const type = root.lookupType(fullName);
  return {
    encode: fields => asBuffer(type.encode({ ...fields }).finish()),
    decode(bytes) {
      if (bytes.length > maxBytes) {
        throw new MessageError(`${fullName} of ${bytes.length} bytes; at most ${maxBytes} are accepted`);
      }
      return decodeFields(type, bytes);
    },
  };
}

function decodeFields(type: protobuf.Type, bytes: Uint8Array): WireFields {
  try {
    const decoded: unknown = type.decode(bytes);
    if (isWireFields(decoded)) return decoded;
    throw new MessageError('not a message');
  } catch (error) {
    const reason = errorMessage(error);
    throw new MessageError(`${bytes.length} bytes are not a ${type.name}: ${reason}`, { cause: error });
  }
}

function loadRoot(): protobuf.Root {
  const loaded = new protobuf.Root();
  for (const name of GOOGLE_TYPES) {
    const nested = protobuf.common.get(`google/protobuf/${name}.proto`)?.nested;
    if (nested !== undefined) loaded.addJSON(nested);
  }
  for (const file of FILES) {
    const source = readFileSync(new URL(`./proto/${file}`, import.meta.url), 'utf8');
    protobuf.parse(source, loaded, { keepCase: true });
  }
  loaded.resolveAll();
  return loaded;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
