import type {
  DynamicLibrary,
  FunctionDefinitions,
  WrappedFunction,
  WrappedFunctionsFromDefinitions,
} from 'node:ffi';

/** What a foreign function that is called directly takes and gives: numbers and addresses, nothing that would be converted. */
export type DirectFunctions<D extends FunctionDefinitions> = {
  readonly [K in keyof D]: (...args: Values<D[K]['arguments']>) => Value<D[K]['return']>;
};
type Values<T> = T extends readonly unknown[] ? { [K in keyof T]: Value<T[K]> } : never;
type Value<T> = T extends 'pointer' | 'i64' | 'u64'
  ? bigint
  : T extends 'i32' | 'u32'
    ? number
    : T extends 'void'
      ? void
      : never;

/**
 * Resolves functions without the closure that `node:ffi` puts around each. That closure looks up the type of every argument
 * by name at each call: 200 to 600 ns, once several functions share its code; the function below it takes 12. The runtime
 * has no name for it, but asks it for a property while it makes the closure, and a function does not have that property
 * itself: the question comes up to what functions inherit from, where it is heard for the time of this call.
 *
 * Nothing converts or checks arguments then: `DirectFunctions` admits only what needs neither, and lengths are checked by our
 * own wrappers as for any foreign call. Where a runtime does not ask, its checked functions are returned: slower, not wrong.
 * Not for functions that call back into JavaScript.
 */
export function directFunctions<const D extends FunctionDefinitions>(
  library: DynamicLibrary,
  definitions: D,
): WrappedFunctionsFromDefinitions<D> {
  const asked = new Set<object>();
  const functions = { ...hearing(asked, () => library.getFunctions(definitions)) };
  const byAddress = new Map<unknown, object>();
  for (const candidate of asked) if ('pointer' in candidate) byAddress.set(candidate.pointer, candidate);
  for (const name in functions) {
    const native = byAddress.get(functions[name].pointer);
    if (isBelow(native, functions[name])) functions[name] = native;
  }
  return functions;
}

/** Whether it is a native function at the same address, with another closure around it. */
export function isDirect(fn: unknown): boolean {
  return typeof fn === 'function' && Function.prototype.toString.call(fn).includes('[native code]');
}

function isBelow<F extends WrappedFunction>(native: object | undefined, wrapper: F): native is F {
  return native !== undefined && native !== wrapper && isDirect(native);
}

/** Runs `fn`, and adds to `asked` each function that is asked for a symbol which neither it nor all functions have. */
function hearing<T>(asked: Set<object>, fn: () => T): T {
  const ancestor: unknown = Object.getPrototypeOf(Function.prototype);
  if (typeof ancestor !== 'object' || ancestor === null) return fn();
  const listener = new Proxy(ancestor, {
    get(target, key, receiver: unknown): unknown {
      if (typeof key === 'symbol' && typeof receiver === 'function') asked.add(receiver);
      return Reflect.get(target, key, receiver);
    },
  });
  // Refused where the runtime was started with its built-in objects frozen.
  if (!Reflect.setPrototypeOf(Function.prototype, listener)) return fn();
  try {
    return fn();
  } finally {
    Reflect.setPrototypeOf(Function.prototype, ancestor);
  }
}
