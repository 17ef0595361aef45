import { ChannelError } from '#shared/engine/channel.ts';
import { checkChain, checkRevocationLists, checkRoots } from '#shared/engine/tls-material.ts';
import type { TlsCredential } from '#shared/route/tls-credential.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { objectAt, textAt } from '../loose-fields.ts';
import { TLS_CREDENTIAL } from '../mesh-labels.ts';

/** As `kubernetes.io/tls`, then as Istio names them in other Secrets. */
const KEYS = {
  certificate: ['tls.crt', 'cert'],
  privateKey: ['tls.key', 'key'],
  roots: ['ca.crt', 'cacert'],
  revocationLists: ['ca.crl', 'crl'],
} as const;

export const CREDENTIAL_KEYS: readonly string[] = Object.values(KEYS).flat();

/** What a Secret holds for TLS origination; undefined for one that is not labelled for it. What is in it is never shown. */
export function translateTlsCredential(object: KubeObject): Translated<TlsCredential | undefined> {
  const diagnostics = new Diagnostics(object);
  const { labels, name, namespace } = object.metadata;
  if (labels[TLS_CREDENTIAL] !== 'true') return diagnostics.conclude(undefined);
  const credential = {
    name: `${namespace}/${name}`,
    certificateChainPem: read(object, KEYS.certificate),
    privateKeyPem: read(object, KEYS.privateKey),
    trustedRootsPem: read(object, KEYS.roots),
    revocationListsPem: read(object, KEYS.revocationLists),
  };
  const fault = faultOf(credential);
  if (fault !== undefined)
    diagnostics.reject('data', undefined, fault, `correct ${CREDENTIAL_KEYS.join(', ')}`);
  return diagnostics.conclude(credential);
}

function read(object: KubeObject, keys: readonly string[]): string {
  for (const key of keys) {
    const encoded = textAt(objectAt(object.body, 'data'), key);
    if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString('utf8');
    const plain = textAt(objectAt(object.body, 'stringData'), key);
    if (plain !== undefined) return plain;
  }
  return '';
}

function faultOf(credential: TlsCredential): string | undefined {
  const { certificateChainPem, privateKeyPem, revocationListsPem, trustedRootsPem } = credential;
  if (certificateChainPem === '' && trustedRootsPem === '')
    return 'holds neither a certificate with its key nor authorities to trust';
  if ((certificateChainPem === '') !== (privateKeyPem === ''))
    return 'holds one of certificate and key, which go together';
  try {
    if (certificateChainPem !== '') checkChain({ certChainPem: certificateChainPem, privateKeyPem });
    if (trustedRootsPem !== '') checkRoots(trustedRootsPem);
    checkRevocationLists(revocationListsPem);
    return undefined;
  } catch (error) {
    if (error instanceof ChannelError) return error.message;
    throw error;
  }
}
