import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { isJsonObject, parseJson } from './json.ts';
import { VERSION } from './version.ts';

test('the binaries say the version of the package', t => {
  const manifest = parseJson(readFileSync('package.json', 'utf8'));
  t.equal(isJsonObject(manifest) ? manifest['version'] : undefined, VERSION);
  t.end();
});
