import type { ClientCertificate, TlsOrigination, TrustedRoots } from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';

const MODES = { DISABLE: 'disable', SIMPLE: 'simple', MUTUAL: 'mutual', ISTIO_MUTUAL: 'mesh' } as const;
const SYSTEM_ROOTS = 'system';

/** @param namespace of the rule: where its Secret is */
export function readTls(fields: Fields, namespace: string): TlsOrigination {
  const mode = fields.oneOf('mode', ['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']) ?? 'DISABLE';
  const clientCertificate = readClientCertificate(fields);
  const credential = fields.string('credentialName');
  if (credential !== undefined) checkCredential(fields, credential, mode);
  if (mode === 'MUTUAL' && clientCertificate === undefined && credential === undefined)
    fields.reject(
      'clientCertificate',
      'is required with MUTUAL, and privateKey',
      'name both files, or a credentialName',
    );
  if (mode !== 'MUTUAL' && clientCertificate !== undefined)
    fields.reject('clientCertificate', `has no meaning with ${mode}`, 'use mode MUTUAL, or remove it');
  return {
    mode: MODES[mode],
    serverName: fields.string('sni'),
    subjectAltNames: fields.strings('subjectAltNames'),
    trustedRoots: readRoots(fields, mode, namespace),
    revocationListFile: readRevocationList(fields, mode),
    clientCertificate,
    credential: credential && `${namespace}/${credential}`,
    skipVerification: fields.boolean('insecureSkipVerify') ?? false,
    alpn: [],
    // As Istio: what a rule asks for is done with whatever comes.
    passesClientTls: false,
  };
}

/** One of the rule's own namespace. */
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

function checkCredential(fields: Fields, credential: string, mode: keyof typeof MODES): void {
  checkSecretName(fields, 'credentialName', credential, mode);
  for (const key of ['clientCertificate', 'privateKey', 'caCertificates', 'caCrl']) {
    if (fields.has(key))
      fields.reject(key, 'cannot be together with credentialName', 'keep the one you mean');
  }
}

function checkSecretName(fields: Fields, key: string, name: string, mode: keyof typeof MODES): void {
  if (!SECRET_NAME.test(name))
    fields.reject(key, 'is no name of a Secret', "name a Secret of the rule's namespace");
  if (mode === 'DISABLE' || mode === 'ISTIO_MUTUAL')
    fields.reject(key, `has no meaning with ${mode}`, 'use mode SIMPLE or MUTUAL, or remove it');
}

function readClientCertificate(fields: Fields): ClientCertificate | undefined {
  const certificateFile = fields.string('clientCertificate');
  const privateKeyFile = fields.string('privateKey');
  if ((certificateFile === undefined) !== (privateKeyFile === undefined))
    fields.reject('privateKey', 'goes together with clientCertificate', 'set both');
  return certificateFile === undefined || privateKeyFile === undefined
    ? undefined
    : { certificateFile, privateKeyFile };
}

function readRevocationList(fields: Fields, mode: keyof typeof MODES): string | undefined {
  const path = fields.string('caCrl');
  if (path !== undefined && (mode === 'DISABLE' || mode === 'ISTIO_MUTUAL'))
    fields.reject('caCrl', `has no meaning with ${mode}`, 'use mode SIMPLE or MUTUAL, or remove it');
  return path;
}

function readRoots(fields: Fields, mode: keyof typeof MODES, namespace: string): TrustedRoots {
  const secret = fields.string('caCertCredentialName');
  if (secret !== undefined) {
    checkSecretName(fields, 'caCertCredentialName', secret, mode);
    if (fields.has('caCertificates'))
      fields.reject(
        'caCertificates',
        'cannot be together with caCertCredentialName',
        'keep the one you mean',
      );
    return { kind: 'credential', name: `${namespace}/${secret}` };
  }
  const path = fields.string('caCertificates');
  return path === undefined || path === SYSTEM_ROOTS ? { kind: 'system' } : { kind: 'file', path };
}
