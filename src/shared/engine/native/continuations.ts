const drain: unknown = Reflect.get(process, '_tickCallback');

/**
 * Runs the continuations of promises that are due, and what `process.nextTick` was given, without going back to the runtime: what it
 * does itself between two immediates. Undocumented, and there since the first versions (DEP0134).
 * @returns whether that can be done here; where it cannot, they run when the caller returns to the runtime
 */
export function runContinuations(): boolean {
  if (typeof drain !== 'function') return false;
  Reflect.apply(drain, process, []);
  return true;
}
