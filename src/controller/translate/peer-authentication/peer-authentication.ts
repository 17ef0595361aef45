import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';

/** Istio PeerAuthentication, as written; what holds for a workload comes of all of them (`effectiveMtls`). */
export interface PeerAuthentication {
  readonly name: string;
  readonly namespace: string;
  readonly creationTimestamp: string;
  /** Labels of the workloads it is for; undefined: its namespace, or in the root namespace the mesh. */
  readonly selects: ReadonlyMap<string, string> | undefined;
  readonly mode: MtlsMode;
  /** By port of the workload. */
  readonly portModes: ReadonlyMap<number, MtlsMode>;
}

/** `unset` inherits from the level above. */
export type MtlsMode = 'unset' | 'permissive' | 'strict';

export function translatePeerAuthentication(object: KubeObject): Translated<PeerAuthentication> {
  const diagnostics = new Diagnostics(object);
  return diagnostics.conclude(readLoosely(object, diagnostics));
}

/** What can be read of it, whether it is good or not. */
export function readLoosely(object: KubeObject, diagnostics: Diagnostics): PeerAuthentication {
  const { name, namespace, creationTimestamp } = object.metadata;
  const base = { name, namespace, creationTimestamp };
  const read = readSpec(object, diagnostics, readPeerAuthentication);
  return { ...base, ...(read ?? { selects: undefined, mode: 'unset', portModes: new Map() }) };
}

function readPeerAuthentication(spec: Fields): Pick<PeerAuthentication, 'selects' | 'mode' | 'portModes'> {
  const labels = spec.object('selector', selector => selector.stringMap('matchLabels'));
  const selects = labels === undefined || labels.size === 0 ? undefined : labels;
  const mode = spec.object('mtls', readMode) ?? 'unset';
  const portModes = spec.object('portLevelMtls', readPortModes) ?? new Map<number, MtlsMode>();
  if (portModes.size > 0 && selects === undefined) {
    spec.reject(
      'portLevelMtls',
      'needs a selector: ports are those of certain workloads',
      'set selector.matchLabels',
    );
  }
  return { selects, mode, portModes };
}

function readPortModes(fields: Fields): Map<number, MtlsMode> {
  const modes = new Map<number, MtlsMode>();
  for (const key of fields.keys()) {
    const mode = fields.object(key, readMode);
    if (!/^[1-9]\d{0,4}$/.test(key) || Number(key) > 65535) {
      fields.reject(key, 'is no port', 'write the number of a port of the workload');
    } else if (mode !== undefined) modes.set(Number(key), mode);
  }
  return modes;
}

function readMode(fields: Fields): MtlsMode {
  const mode = fields.oneOf('mode', ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']);
  switch (mode) {
    case 'STRICT':
      return 'strict';
    case 'PERMISSIVE':
      return 'permissive';
    case 'DISABLE':
      fields.ignore('mode', 'is taken as PERMISSIVE: the mesh always offers mutual TLS', 'write PERMISSIVE');
      return 'permissive';
    case 'UNSET':
    case undefined:
      return 'unset';
  }
}
