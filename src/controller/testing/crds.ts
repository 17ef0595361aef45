import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import { apiVersionOf, collectionPath, type KubeResource, objectPath } from '#shared/kube/resource.ts';

export const CRDS: KubeResource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

const SERVED_POLLS = 200;
const POLL_MS = 50;

/** Installs the CRDs of a directory of YAML files. Resolves when each is served. */
export async function installCrds(api: KubeApi, directory: string): Promise<void> {
  const files = globSync(join(directory, '*.yaml')).sort();
  const documents = files.flatMap(file => parseAllDocuments(readFileSync(file, 'utf8')));
  const crds = documents
    // Our own files and Gateway API's, which may repeat a schema as often as they like.
    .map((document): unknown => document.toJS({ maxAliasCount: -1 }))
    .filter(isJsonObject)
    .filter(object => object['kind'] === CRDS.kind);
  await Promise.all(
    crds.map(body => api.request({ method: 'POST', path: collectionPath(CRDS), body, deadlineMs: 60_000 })),
  );
  await Promise.all(crds.map(crd => untilServed(api, crd)));
}

/** A CRD that takes any spec and status, for kinds whose own schema a test does not care about. */
export async function installOpenCrd(api: KubeApi, resource: KubeResource): Promise<void> {
  const { group, kind, namespaced, plural, version } = resource;
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const crd = {
    apiVersion: apiVersionOf(CRDS),
    kind: CRDS.kind,
    metadata: {
      name: `${plural}.${group}`,
      // What the API server wants of groups below k8s.io.
      annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
    },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
          subresources: { status: {} },
        },
      ],
    },
  };
  await api.request({ method: 'POST', path: collectionPath(CRDS), body: crd });
  await untilServed(api, crd);
}

export async function removeCrd(api: KubeApi, resource: KubeResource): Promise<void> {
  await api.request({
    method: 'DELETE',
    path: objectPath(CRDS, '', `${resource.plural}.${resource.group}`),
  });
}

/** Until the paths of all its versions answer. */
async function untilServed(api: KubeApi, crd: JsonObject): Promise<void> {
  const spec = isJsonObject(crd['spec']) ? crd['spec'] : {};
  const names = isJsonObject(spec['names']) ? spec['names'] : {};
  const versions = Array.isArray(spec['versions']) ? spec['versions'].filter(isJsonObject) : [];
  for (const { name, served } of versions) {
    const parts = [spec['group'], name, names['plural']].filter(part => typeof part === 'string');
    if (served === true) await untilFound(api, `/apis/${parts.join('/')}`);
  }
}

async function untilFound(api: KubeApi, path: string): Promise<void> {
  for (let poll = 0; ; poll++) {
    try {
      await api.request({ path, query: { limit: '1' } });
      return;
    } catch (error) {
      if (!isNotFound(error) || poll >= SERVED_POLLS) throw error;
      await sleep(POLL_MS);
    }
  }
}
