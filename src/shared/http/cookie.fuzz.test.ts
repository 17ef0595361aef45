import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { readCookie } from './cookie.ts';

test('any cookie field is read without harm, and a cookie that is there is found', t => {
  const token = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const junk = fc.stringMatching(/^[ -~]{0,40}$/);
  fc.assert(
    fc.property(junk, token, token, (before, name, value) => {
      readCookie(['cookie', before], name);
      const clean = before.replaceAll(/[;=]/g, '');
      return readCookie(['cookie', `${clean}; ${name}=${value}; z`], name) === value || clean.trim() === name;
    }),
    fuzzRun(1),
  );
  t.end();
});
