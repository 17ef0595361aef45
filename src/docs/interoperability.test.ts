import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { CREATE_CERTIFICATE_PATH } from '#shared/discovery/certificate-message.ts';
import { DELTA_ADS_PATH } from '#shared/discovery/controller-channel.ts';
import { RESOURCE_TYPES } from '#shared/discovery/mesh-resource.ts';
import { ENVOY_VERSION } from '../../e2e/bench/envoy-install.ts';
import { namedTests } from './named-tests.ts';

const TEXT = readFileSync('docs/interoperability.md', 'utf8');

test('the wires are named as they are in the code', t => {
  const tls = readFileSync('src/shared/engine/node/tls-context.ts', 'utf8');
  const [ciphers, groups] = ['CIPHERS', 'GROUPS'].map(
    name => new RegExp(`const ${name} = '([^']+)'`).exec(tls)?.[1]?.split(':') ?? [],
  );
  const listed = (names: readonly string[] | undefined): string =>
    (names ?? ['?']).map(n => `\`${n}\``).join(', ');
  const wires = [DELTA_ADS_PATH, CREATE_CERTIFICATE_PATH].map(path => path.slice(1));
  for (const name of [...wires, ...RESOURCE_TYPES, listed(ciphers), listed(groups)])
    t.ok(TEXT.includes(name), name);
  t.ok(TEXT.includes(`Envoy ${ENVOY_VERSION.replace(/\.0$/, '')}`), 'the version of Envoy');
  t.end();
});

test('each peer is named with the test that it was in', t => {
  const { rows, wrong } = namedTests(TEXT);
  t.ok(rows > 5);
  t.same(wrong, []);
  t.end();
});
