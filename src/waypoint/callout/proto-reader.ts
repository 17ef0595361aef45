/** A message of a service we called that is not protobuf, or not the message we asked for. */
export class ProtoError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtoError';
  }
}

/** One field as it stands on the wire. */
export interface ProtoField {
  readonly number: number;
  /** Of a varint, a safe integer (larger ones are clamped); of eight bytes, the double they are; 0 for other wire types. */
  readonly value: number;
  /** Of a length-delimited field, a view; undefined for other wire types. */
  readonly bytes: Buffer | undefined;
}

/**
 * Reads the fields of one message in the order of the wire. Nested messages are read by another call on `bytes`, so the
 * depth is that of the caller's code and not of the input. @throws ProtoError
 */
export function readProto(message: Buffer, onField: (field: ProtoField) => void): void {
  const cursor = { bytes: message, at: 0 };
  while (cursor.at < message.length) {
    const tag = varint(cursor);
    const number = Math.floor(tag / 8);
    if (number < 1) throw new ProtoError('a field with number 0');
    onField(readField(cursor, number, tag % 8));
  }
}

/** The text of a string field; other wire types are refused. */
export function textOf(field: ProtoField): string {
  return bytesOf(field).toString('utf8');
}

export function bytesOf({ bytes, number }: ProtoField): Buffer {
  if (bytes === undefined) throw new ProtoError(`field ${number} is of an unexpected wire type`);
  return bytes;
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function readField(cursor: Cursor, number: number, wireType: number): ProtoField {
  switch (wireType) {
    case 0:
      return { number, value: varint(cursor), bytes: undefined };
    case 1:
      return { number, value: take(cursor, 8).readDoubleLE(), bytes: undefined };
    case 2:
      return { number, value: 0, bytes: take(cursor, varint(cursor)) };
    case 5:
      return { number, value: 0, bytes: skip(cursor, 4) };
    default:
      throw new ProtoError(`field ${number} has wire type ${wireType}`);
  }
}

function skip(cursor: Cursor, length: number): undefined {
  take(cursor, length);
}

function take(cursor: Cursor, length: number): Buffer {
  const end = cursor.at + length;
  if (end > cursor.bytes.length) throw new ProtoError('a field goes beyond the end of its message');
  const slice = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return slice;
}

function varint(cursor: Cursor): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 10; i++) {
    const byte = cursor.bytes[cursor.at++];
    if (byte === undefined) throw new ProtoError('a varint goes beyond the end of its message');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return Math.min(value, Number.MAX_SAFE_INTEGER);
    scale *= 0x80;
  }
  throw new ProtoError('a varint of more than ten bytes');
}
