import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'tap';
import { stringify } from 'yaml';
import { type MeshResource, RESOURCE_TYPES } from '#shared/discovery/mesh-resource.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { ResourceStore } from '../discovery/resource-store.ts';
import { parseObjectFile } from '../source/object-file.ts';
import { formatDiagnostic } from '../translate/diagnostic.ts';
import { MeshIndex } from './mesh-index.ts';

/**
 * Core kinds by pairs of files: `testdata/x-in.yaml` holds objects, `testdata/x.yaml` what proxies get of them and what is
 * said about them. With UPDATE_GOLDENS=1 the outputs are written anew, to be read in the diff.
 */
const folder = new URL('./testdata/', import.meta.url);

const PAIRS: readonly (readonly [name: string, sentence: string])[] = [
  ['pods', 'pods by owner, network, capture and state'],
  ['services', 'services by ports, address families and distribution of traffic'],
  ['waypoints', 'who is behind which waypoint, and who is refused one'],
  ['outside', 'what is part of the mesh without being a pod'],
  ['rejected', 'one mistake each, and what is said of it'],
];

for (const [name, sentence] of PAIRS) {
  test(sentence, t => {
    const input = readFileSync(new URL(`${name}-in.yaml`, folder), 'utf8');
    const output = new URL(`${name}.yaml`, folder);
    const actual = stringify(translate(input), { lineWidth: 120, aliasDuplicateObjects: false });
    if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(output, actual);
    t.equal(actual, readFileSync(output, 'utf8'));
    t.end();
  });
}

test('no pair is left out', t => {
  const inputs = readdirSync(folder).filter(file => file.endsWith('-in.yaml'));
  t.same(inputs.sort(), PAIRS.map(([name]) => `${name}-in.yaml`).sort());
  t.end();
});

function translate(yaml: string): object {
  const store = new ResourceStore();
  const index = new MeshIndex({
    cluster: { clusterId: 'c', clusterDomain: 'cluster.local', trustDomain: 'td', network: 'net' },
    rootNamespace: 'istio-system',
    store,
    logger: quietLogger,
  });
  const { objects, problems } = parseObjectFile(yaml, 'input', undefined);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  index.apply({ upserts: [...objects.values()], deletes: [] });
  const resources = RESOURCE_TYPES.flatMap(type =>
    [...store.all(type).values()].map(({ resource }) => resource),
  );
  return {
    resources: resources.map(shown),
    said: index
      .statuses()
      .flatMap(status => status.diagnostics.map(d => `${status.state}: ${formatDiagnostic(d)}`)),
  };
}

/** Without what is absent, empty or false: what is left is what the objects say. */
function shown(resource: MeshResource): unknown {
  const text = JSON.stringify(resource, (_key, value: unknown) => {
    if (value instanceof Map) {
      const entries: unknown = Object.fromEntries(value);
      return entries;
    }
    const isBlank = value === '' || value === false || (Array.isArray(value) && value.length === 0);
    return isBlank ? undefined : value;
  });
  const plain: unknown = JSON.parse(text);
  return plain;
}
