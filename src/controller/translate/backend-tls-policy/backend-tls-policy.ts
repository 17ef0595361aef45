import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { type CaReference, readAuthorities } from './authorities.ts';
import { readServerNames } from './server-names.ts';
import { type BackendTlsTarget, readTargets } from './targets.ts';

/** What a BackendTLSPolicy says of Services of its own namespace: their servers speak TLS, and how they are known. */
export interface BackendTlsPolicy {
  readonly targets: readonly BackendTlsTarget[];
  /** Told to the server. */
  readonly hostname: string;
  /** Of which one is in its certificate; empty: `hostname` is. */
  readonly subjectAltNames: readonly string[];
  /** Undefined: what the waypoint's machine trusts. */
  readonly authorities: readonly CaReference[] | undefined;
}

const NOTHING: BackendTlsPolicy = { targets: [], hostname: '', subjectAltNames: [], authorities: [] };

/** Gateway API's policy for TLS towards backends. What its references lead to is looked at where it is used. */
export function translateBackendTlsPolicy(object: KubeObject): Translated<BackendTlsPolicy> {
  const diagnostics = new Diagnostics(object);
  const policy = readSpec(object, diagnostics, spec => {
    readOptions(spec);
    const targets = readTargets(spec);
    const validation = spec.object('validation', readValidation);
    if (validation === undefined && !spec.has('validation'))
      spec.reject('validation', 'is required', 'say whom to trust, and under which hostname');
    return { ...NOTHING, ...validation, targets };
  });
  return diagnostics.conclude(policy ?? NOTHING);
}

function readValidation(fields: Fields): Omit<BackendTlsPolicy, 'targets'> {
  return { ...readServerNames(fields), authorities: readAuthorities(fields) };
}

/** Each implementation has its own; there is none here. */
function readOptions(spec: Fields): void {
  spec.object('options', options => {
    for (const name of options.keys()) options.unsupported(name, 'remove it');
  });
}
