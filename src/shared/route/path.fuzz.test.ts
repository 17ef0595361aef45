import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { normalizePath, normalizeTarget } from './path.ts';

const path = fc.oneof(
  fc
    .array(
      fc.constantFrom(
        '.',
        '..',
        'a',
        'b.c',
        '',
        '%2e',
        '%2E%2e',
        '%41',
        '%2f',
        '%',
        '%zz',
        '.a',
        '\\',
        'a\\..\\b',
      ),
      {
        maxLength: 7,
      },
    )
    .map(elements => `/${elements.join('/')}`),
  fc.string({ unit: fc.constantFrom(...Array.from('/.%2eE0\\a?#')), maxLength: 20 }).map(rest => `/${rest}`),
);

test('a normalized path is normal, absolute, and without dot segments', t => {
  fc.assert(
    fc.property(path, target => {
      const normal = normalizePath(target);
      if (normal === undefined) {
        if (!target.includes('%00')) throw new Error(`${target} has no normal form`);
        return;
      }
      if (!normal.startsWith('/')) throw new Error(`${target} → ${normal}: not absolute`);
      if (normal.split('/').some(segment => segment === '.' || segment === '..'))
        throw new Error(`${target} → ${normal}`);
      if (/[?#\\]/.test(normal)) throw new Error(`${target} → ${normal}`);
    }),
    fuzzRun(4),
  );
  t.pass();
  t.end();
});

test('where there is nothing to decode, it is what the URL parser makes of it', t => {
  fc.assert(
    fc.property(path, target => {
      // The URL parser leaves other escapes as they are, and resolves encoded dots as we do; `//` would begin a host.
      if (/%(?!2[eE])/.test(target) || target.startsWith('//') || target.startsWith('/\\')) return;
      const theirs = new URL(target, 'http://host').pathname.replaceAll('%2E', '.').replaceAll('%2e', '.');
      const ours = normalizePath(target);
      if (ours !== theirs) throw new Error(`${target}: ours ${ours}, URL ${theirs}`);
    }),
    fuzzRun(4),
  );
  t.pass();
  t.end();
});

test('merged and decoded slashes are neither repeated nor encoded, and what comes of them is normal', t => {
  fc.assert(
    fc.property(path, fc.constantFrom('merge_slashes', 'decode_and_merge_slashes'), (target, how) => {
      const normal = normalizePath(target, how);
      if (normal === undefined) return;
      if (normal.includes('//')) throw new Error(`${target} → ${normal}: repeated`);
      if (how === 'decode_and_merge_slashes' && /%2f|%5c/i.test(normal))
        throw new Error(`${target} → ${normal}: encoded`);
      if (normalizePath(normal) !== normal) throw new Error(`${target} → ${normal}: not normal`);
    }),
    fuzzRun(4),
  );
  t.pass();
  t.end();
});

test('the query of a target is kept', t => {
  fc.assert(
    fc.property(path, fc.string({ maxLength: 10 }), (start, query) => {
      const plain = start.replace(/[?#]/g, '');
      const target = `${plain}?${query}`;
      const normal = normalizeTarget(target);
      if (normal !== undefined && normal !== `${normalizePath(plain)}?${query}`) throw new Error(target);
    }),
    fuzzRun(4),
  );
  t.pass();
  t.end();
});
