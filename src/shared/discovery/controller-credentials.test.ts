import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { parseControllerAddress, tokenReader, trustBundleReader } from './controller-credentials.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

const ADDRESSES: readonly (readonly [string, string | undefined])[] = [
  ['istiod.istio-system.svc:15012', 'istiod.istio-system.svc:15012'],
  ['https://istiod.istio-system.svc:15012', 'istiod.istio-system.svc:15012'],
  ['istiod', 'istiod:15012'],
  ['https://10.0.0.1', '10.0.0.1:15012'],
  ['[fd00::1]:443', '[fd00::1]:443'],
  ['https://[fd00::1]/', '[fd00::1]:15012'],
  ['http://istiod:15012', undefined],
  ['istiod:0', undefined],
  ['istiod:70000', undefined],
  ['istiod:15012/path', undefined],
  ['', undefined],
];

test('the address of a controller', t => {
  for (const [text, expected] of ADDRESSES) t.equal(parseControllerAddress(text), expected, text);
  t.end();
});

test('roots and tokens are read anew each time, and a file that is not usable is named', t => {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-credentials-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'file');
  const roots = trustBundleReader(path);
  const token = tokenReader(path);
  t.throws(roots, /ENOENT.*file/);
  writeFileSync(path, 'no pem');
  t.throws(roots, /holds no PEM certificate/);
  writeFileSync(path, PEM);
  t.equal(roots(), PEM);
  t.throws(token, /does not hold one token/);
  writeFileSync(path, ' \n');
  t.throws(token, /token file .* is empty/);
  writeFileSync(path, 'abc.def\n');
  t.equal(token(), 'abc.def');
  t.equal(trustBundleReader(PEM)(), PEM, 'PEM text itself');
  t.end();
});
