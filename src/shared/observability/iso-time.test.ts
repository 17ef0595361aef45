import fc from 'fast-check';
import { test } from 'tap';
import { isoTime } from './iso-time.ts';

test('a time is written as Date writes it, whatever was written before', t => {
  fc.assert(
    fc.property(fc.array(fc.date({ noInvalidDate: true }), { minLength: 1 }), dates => {
      for (const date of dates) if (isoTime(date.getTime()) !== date.toISOString()) return false;
      return true;
    }),
  );
  t.equal(isoTime(Date.UTC(2026, 0, 2, 3, 4, 5, 7)), '2026-01-02T03:04:05.007Z');
  t.equal(isoTime(Date.UTC(2026, 0, 2, 3, 4, 5, 999)), '2026-01-02T03:04:05.999Z');
  t.end();
});
