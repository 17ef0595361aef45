import { InvalidField, isWireFields, readEntries, readMessages, type WireFields } from './wire-fields.ts';

/** `google.protobuf.Struct` ↔ JSON values. The depth is bounded by the decoder (`messages.ts`). */
export type StructValue =
  | null
  | string
  | number
  | boolean
  | readonly StructValue[]
  | { readonly [name: string]: StructValue };

export type Struct = Readonly<Record<string, StructValue>>;

/** @throws InvalidField when a value is of no kind. */
export function structFromWire(wire: WireFields): Struct {
  return Object.fromEntries(
    readEntries(wire, 'fields').map(([name, value]) => [name, valueFromWire(value, name)]),
  );
}

export function structToWire(struct: Struct): object {
  return {
    fields: Object.fromEntries(Object.entries(struct).map(([name, value]) => [name, valueToWire(value)])),
  };
}

/** The text field `name`, or undefined when it is absent or of another type. */
export function structText(struct: Struct, name: string): string | undefined {
  const value = Object.hasOwn(struct, name) ? struct[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function valueFromWire(value: unknown, name: string): StructValue {
  if (!isWireFields(value)) throw new InvalidField(name, 'is not a value');
  for (const kind of ['stringValue', 'numberValue', 'boolValue'] as const) {
    const scalar = Object.hasOwn(value, kind) ? value[kind] : undefined;
    if (typeof scalar === 'string' || typeof scalar === 'number' || typeof scalar === 'boolean')
      return scalar;
  }
  const { structValue, listValue } = value;
  if (isWireFields(structValue)) return structFromWire(structValue);
  if (isWireFields(listValue)) {
    return readMessages(listValue, 'values').map((item, i) => valueFromWire(item, `${name}[${i}]`));
  }
  return null;
}

function valueToWire(value: StructValue): object {
  if (value === null) return { nullValue: 0 };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (isList(value)) return { listValue: { values: value.map(valueToWire) } };
  return { structValue: structToWire(value) };
}

function isList(value: StructValue): value is readonly StructValue[] {
  return Array.isArray(value);
}
