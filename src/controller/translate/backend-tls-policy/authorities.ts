import type { Fields } from '../decode.ts';

/** Where authorities are, in the policy's namespace. */
export interface CaReference {
  /** `other` is none that is read. */
  readonly kind: 'ConfigMap' | 'Secret' | 'other';
  readonly name: string;
  /** As it is named in messages: `ConfigMap ca`. */
  readonly shown: string;
}

/** As Gateway API bounds it. */
const MAX_REFERENCES = 8;

/** @returns undefined where those of the system are trusted */
export function readAuthorities(fields: Fields): readonly CaReference[] | undefined {
  // Empty is as not set.
  const isWellKnown =
    fields.string('wellKnownCACertificates') !== '' && fields.has('wellKnownCACertificates');
  const references = fields.objects('caCertificateRefs', readReference);
  if (isWellKnown) fields.oneOf('wellKnownCACertificates', ['System']);
  if (isWellKnown && references.length > 0)
    fields.reject(
      'wellKnownCACertificates',
      'cannot be together with caCertificateRefs',
      'keep the one you mean',
    );
  if (!isWellKnown && references.length === 0)
    fields.reject(
      'caCertificateRefs',
      'is required, or wellKnownCACertificates',
      'name a ConfigMap with the authorities in ca.crt',
    );
  if (references.length > MAX_REFERENCES)
    fields.reject(
      'caCertificateRefs',
      `names more than ${MAX_REFERENCES} objects`,
      'put authorities together',
    );
  return isWellKnown ? undefined : references;
}

function readReference(fields: Fields): CaReference {
  const group = fields.string('group') ?? '';
  const kind = fields.requiredString('kind');
  const name = fields.requiredString('name');
  fields.refused('namespace', 'put the authorities into the namespace of the policy');
  const isCore = group === '' || group === 'core';
  const known = isCore && (kind === 'ConfigMap' || kind === 'Secret') ? kind : 'other';
  const shown = `${kind}${isCore ? '' : `.${group}`} ${name}`;
  return { kind: known, name, shown };
}
