import fc from 'fast-check';

/** For property tests: what the fields of the model are made of, as the wire can carry it. */

export const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);
export const names = fc.array(name, { maxLength: 2 });
export const text = fc.string({ maxLength: 12, unit: 'binary' });
export const port = fc.integer({ min: 1, max: 65_535 });
export const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
export const milliseconds = fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true });
export const percent = fc.double({ min: 0, max: 100, noNaN: true });
export const flag = fc.boolean();
export const status = fc.integer({ min: 200, max: 599 });

export function maybe<T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(of, { nil: undefined });
}

export function few<T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(of, { maxLength: 2 });
}

export const millis = maybe(milliseconds);
export const headerValues = few(fc.record({ name, value: text }));
