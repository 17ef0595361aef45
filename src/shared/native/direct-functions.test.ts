import { DynamicLibrary } from 'node:ffi';
import { test } from 'tap';
import { directFunctions, isDirect } from './direct-functions.ts';
import { libc } from './libc.ts';
import { openssl } from './openssl.ts';

const DEFINITIONS = {
  labs: { arguments: ['i64'], return: 'i64' },
  getppid: { arguments: [], return: 'i32' },
  strtol: { arguments: ['pointer', 'pointer', 'i32'], return: 'i64' },
} as const;

test('functions are what the runtime wraps, not the wrappers, and do the same', t => {
  const library = new DynamicLibrary(null);
  const direct = directFunctions(library, DEFINITIONS);
  const checked = new DynamicLibrary(null).getFunctions(DEFINITIONS);
  for (const name of ['labs', 'strtol'] as const) {
    t.ok(isDirect(direct[name]), `${name}: direct`);
    t.notOk(isDirect(checked[name]), `${name}: the runtime's own is a closure`);
  }
  t.ok(isDirect(direct.getppid), 'without arguments there is nothing to wrap');
  t.equal(direct.labs(-5n), 5n);
  t.equal(direct.getppid(), process.ppid);
  t.end();
});

test('what functions inherit is left as it was', t => {
  const before: unknown = Object.getPrototypeOf(Function.prototype);
  directFunctions(new DynamicLibrary(null), DEFINITIONS);
  t.throws(() =>
    directFunctions(new DynamicLibrary(null), { no_such_function: { arguments: [], return: 'void' } }),
  );
  t.equal(Object.getPrototypeOf(Function.prototype), before);
  t.equal(before, Object.prototype);
  t.end();
});

test('every foreign function of the data path is called directly by this runtime', t => {
  for (const functions of [libc(), openssl()])
    for (const [name, fn] of Object.entries(functions)) t.ok(isDirect(fn), name);
  t.end();
});
