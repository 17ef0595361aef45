import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { groupOf, kindName } from '#shared/kube/kind-name.ts';
import type { KubeObject } from '../source/kube-object.ts';
import type { RouteLookup } from '../translate/gateway-route/route-translation.ts';
import { grantsService, type ReferenceGrant } from '../translate/reference-grant/reference-grant.ts';
import type { KnownService } from '../translate/service-lookup.ts';

/**
 * Tests of translations by pairs of files: `testdata/x-in.yaml` holds objects, `testdata/x.yaml` what comes of them.
 * With UPDATE_GOLDENS=1 the outputs are written anew, to be read in the diff.
 */
export interface GoldenPair {
  readonly name: string;
  readonly objects: readonly KubeObject[];
  readonly expected: string;
  readonly actual: string;
}

/** @param folder URL of the `testdata` folder, with a slash at the end. */
export function goldenPairs(
  folder: URL,
  translate: (objects: readonly KubeObject[]) => unknown,
): GoldenPair[] {
  const inputs = readdirSync(folder).filter(file => file.endsWith('-in.yaml'));
  return inputs.sort().map(file => {
    const name = file.replace(/-in\.yaml$/, '');
    const objects = readObjects(readFileSync(new URL(file, folder), 'utf8'));
    const actual = dump(plain(translate(objects)));
    const output = new URL(`${name}.yaml`, folder);
    if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(output, actual);
    return { name, objects, expected: reformat(readFileSync(output, 'utf8')), actual };
  });
}

function dump(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The formatter may lay a file out differently; what it says is compared. */
function reformat(yaml: string): string {
  const value: unknown = parse(yaml);
  return dump(value);
}

/** Test input is trusted as far as the metadata goes. */
function readObjects(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml).map(document => {
    const object: unknown = document.toJS();
    const metadata = at(object, 'metadata');
    const apiVersion = text(at(object, 'apiVersion'));
    return {
      apiVersion,
      kind: kindName(groupOf(apiVersion), text(at(object, 'kind'))),
      metadata: {
        name: text(at(metadata, 'name')),
        namespace: text(at(metadata, 'namespace')),
        labels: texts(at(metadata, 'labels')),
        annotations: texts(at(metadata, 'annotations')),
        creationTimestamp: text(at(metadata, 'creationTimestamp')),
        generation: 1,
      },
      spec: at(object, 'spec'),
      status: at(object, 'status'),
    };
  });
}

/** An object for a table test. */
export function kubeObject(
  kind: string,
  spec: unknown,
  over: Partial<KubeObject['metadata']> = {},
): KubeObject {
  const metadata = {
    name: 'it',
    namespace: 'shop',
    labels: {},
    annotations: {},
    creationTimestamp: '2026-01-01T00:00:00Z',
    generation: 1,
    ...over,
  };
  return { apiVersion: 'v1', kind, metadata, spec };
}

/** Services `<namespace>/<name>` with their ports, named as `port-80`, of cluster domain `cluster.local`, and hosts of ServiceEntries, with port 443. */
export function servicesOf(
  ports: Readonly<Record<string, readonly number[]>>,
  grants: readonly ReferenceGrant[] = [],
  entries: Readonly<Record<string, readonly string[]>> = {},
): RouteLookup {
  const known = new Map<string, KnownService>();
  for (const [key, list] of Object.entries(ports)) {
    const [namespace = '', name = ''] = key.split('/');
    const hostname = `${name}.${namespace}.svc.cluster.local`;
    const service = { namespace, hostname, ports: list, portNames: namesOf(list), headless: false };
    known.set(key, { key: `${namespace}/${hostname}`, ...service });
  }
  const hosts = new Map(
    Object.entries(entries).map(([key, names]) => {
      const [namespace = ''] = key.split('/');
      const service = { namespace, ports: [443], portNames: namesOf([443]), headless: true };
      return [key, names.map(hostname => ({ ...service, key: `${namespace}/${hostname}`, hostname }))];
    }),
  );
  const all = [...known.values(), ...[...hosts.values()].flat()];
  return {
    service: (namespace, name) => known.get(`${namespace}/${name}`),
    isGranted: (from, to) => grants.some(grant => grantsService(grant, from, to.name)),
    serviceEntry: (namespace, name) => hosts.get(`${namespace}/${name}`),
    serviceByHostname: hostname => all.find(service => service.hostname === hostname),
    servicesMatching: pattern => all.filter(({ hostname }) => hostname.endsWith(pattern.slice(1))),
  };
}

function namesOf(ports: readonly number[]): ReadonlyMap<string, number> {
  return new Map(ports.map(port => [`port-${port}`, port]));
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(key) : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, text(item)]));
}

/** Without undefined fields, and maps as objects: what YAML can say. */
function plain(value: unknown): unknown {
  const json = JSON.stringify(value, (_key, item: unknown): unknown => {
    if (item instanceof Set) return [...item];
    return item instanceof Map ? Object.fromEntries(item) : item;
  });
  const parsed: unknown = JSON.parse(json);
  return parsed;
}
