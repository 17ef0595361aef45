/**
 * Reading decoded protobuf messages without trusting their shape. A field that is absent reads as its proto3 default.
 * @throws InvalidField from every reader when a value is not of the field's type or not acceptable.
 */
export type WireFields = Readonly<Record<string, unknown>>;

/** Why a resource is rejected: which field, which value, what is accepted. */
export class InvalidField extends Error {
  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.name = 'InvalidField';
  }
}

export function isWireFields(value: unknown): value is WireFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function readText(message: WireFields, field: string): string {
  return readOptionalText(message, field) ?? '';
}

export function readName(message: WireFields, field: string): string {
  const value = readText(message, field);
  if (value === '') throw new InvalidField(field, 'is empty; it is required');
  return value;
}

export function readOptionalText(message: WireFields, field: string): string | undefined {
  const value = own(message, field);
  if (value !== undefined && typeof value !== 'string') throw wrongType(field, 'a string');
  return value;
}

export function readNumber(message: WireFields, field: string): number {
  return readOptionalNumber(message, field) ?? 0;
}

/** uint32, double, or an int64 that is a safe integer. NaN and infinities are refused. */
export function readOptionalNumber(message: WireFields, field: string): number | undefined {
  const value = own(message, field);
  if (value === undefined) return undefined;
  const n = isWireFields(value) ? int64Number(value) : value;
  if (typeof n !== 'number' || !Number.isFinite(n)) throw wrongType(field, 'a finite number');
  return n;
}

export function readFlag(message: WireFields, field: string): boolean {
  const value = own(message, field) ?? false;
  if (typeof value !== 'boolean') throw wrongType(field, 'a boolean');
  return value;
}

export function readBytes(message: WireFields, field: string): Uint8Array {
  const value = own(message, field) ?? NO_BYTES;
  return asBytes(value, field);
}

export function readMessage(message: WireFields, field: string): WireFields | undefined {
  const value = own(message, field);
  if (value === undefined) return undefined;
  if (!isWireFields(value)) throw wrongType(field, 'a message');
  return value;
}

export function readMessages(message: WireFields, field: string): readonly WireFields[] {
  return readList(message, field, (value, at) => {
    if (!isWireFields(value)) throw wrongType(at, 'a message');
    return value;
  });
}

export function readTexts(message: WireFields, field: string): readonly string[] {
  return readList(message, field, (value, at) => {
    if (typeof value !== 'string') throw wrongType(at, 'a string');
    return value;
  });
}

export function readNumbers(message: WireFields, field: string): readonly number[] {
  return readList(message, field, (value, at) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) throw wrongType(at, 'a finite number');
    return value;
  });
}

export function readByteStrings(message: WireFields, field: string): readonly Uint8Array[] {
  return readList(message, field, asBytes);
}

/** Entries of a map field, in the order of the wire. */
export function readEntries(message: WireFields, field: string): readonly (readonly [string, unknown])[] {
  const value = own(message, field) ?? {};
  if (!isWireFields(value)) throw wrongType(field, 'a map');
  return Object.entries(value);
}

/** The internal name of an enum value; `names[i]` is that of number `i`, undefined where a number is not accepted. */
export function readEnum<const T extends string>(
  message: WireFields,
  field: string,
  names: readonly (T | undefined)[],
): T {
  return enumName(readNumber(message, field), field, names);
}

export function readEnums<const T extends string>(
  message: WireFields,
  field: string,
  names: readonly (T | undefined)[],
): readonly T[] {
  return readNumbers(message, field).map((value, i) => enumName(value, `${field}[${i}]`, names));
}

/** `0` when the protocol allows a port to be left out. */
export function readPort(message: WireFields, field: string, least: 0 | 1): number {
  return checkPort(readNumber(message, field), field, least);
}

export function checkPort(port: number, field: string, least: 0 | 1): number {
  if (!Number.isInteger(port) || port < least || port > 65_535) {
    throw new InvalidField(field, `port ${port} is out of range; use ${least}–65535`);
  }
  return port;
}

/** A number from `min` to `max`. */
export function readWithin(message: WireFields, field: string, min: number, max: number): number {
  const value = readNumber(message, field);
  if (value < min || value > max)
    throw new InvalidField(field, `${value} is out of range; use ${min}–${max}`);
  return value;
}

export function readPercent(message: WireFields, field: string): number {
  return readWithin(message, field, 0, 100);
}

/** Milliseconds: not negative. */
export function readMillis(message: WireFields, field: string): number {
  return readWithin(message, field, 0, Number.MAX_SAFE_INTEGER);
}

export function readOptionalMillis(message: WireFields, field: string): number | undefined {
  return readOptionalNumber(message, field) === undefined ? undefined : readMillis(message, field);
}

export function readOptionalFlag(message: WireFields, field: string): boolean | undefined {
  return own(message, field) === undefined ? undefined : readFlag(message, field);
}

/** A final HTTP status. */
export function readStatus(message: WireFields, field: string): number {
  const status = readNumber(message, field);
  if (status < 200 || status > 599)
    throw new InvalidField(field, `${status} is no final HTTP status; use 200–599`);
  return status;
}

/** A list of messages, each read by `read`; what is wrong names the item. */
export function readEach<T>(message: WireFields, field: string, read: (item: WireFields) => T): readonly T[] {
  return readMessages(message, field).map((item, i) => within(`${field}[${i}]`, () => read(item)));
}

/** A message, read by `read`; undefined when absent. */
export function readIfSet<T>(
  message: WireFields,
  field: string,
  read: (found: WireFields) => T,
): T | undefined {
  const found = readMessage(message, field);
  return found && within(field, () => read(found));
}

/** Runs `read` and names `at` in front of the field it complains of. */
export function within<T>(at: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidField) throw new InvalidField(at, error.message);
    throw error;
  }
}

const NO_BYTES = new Uint8Array(0);

/** A message's prototype holds the defaults, which would hide whether an optional field or a oneof member is set. */
function own(message: WireFields, field: string): unknown {
  return Object.hasOwn(message, field) ? (message[field] ?? undefined) : undefined;
}

function readList<T>(
  message: WireFields,
  field: string,
  read: (value: unknown, at: string) => T,
): readonly T[] {
  const value = own(message, field);
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrongType(field, 'a list');
  return value.map((item: unknown, i) => read(item, `${field}[${i}]`));
}

function enumName<T extends string>(value: number, field: string, names: readonly (T | undefined)[]): T {
  const name = names[value];
  if (name === undefined) throw new InvalidField(field, `unknown enum value ${value}`);
  return name;
}

function asBytes(value: unknown, field: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw wrongType(field, 'bytes');
}

/** An int64 comes as two 32-bit halves. */
function int64Number(value: WireFields): number | undefined {
  const { low, high } = value;
  if (typeof low !== 'number' || typeof high !== 'number') return undefined;
  const n = high * 2 ** 32 + (low >>> 0);
  return Number.isSafeInteger(n) ? n : undefined;
}

function wrongType(field: string, expected: string): InvalidField {
  return new InvalidField(field, `is not ${expected}`);
}
