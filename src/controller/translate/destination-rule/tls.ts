import type { ClientCertificate, TlsOrigination, TrustedRoots } from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';

const MODES = { DISABLE: 'disable', SIMPLE: 'simple', MUTUAL: 'mutual', ISTIO_MUTUAL: 'mesh' } as const;
const SYSTEM_ROOTS = 'system';

export function readTls(fields: Fields): TlsOrigination {
  const mode = fields.oneOf('mode', ['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']) ?? 'DISABLE';
  fields.refused(
    'credentialName',
    'mount the files into the waypoint and name them in caCertificates and the like',
  );
  fields.refused('caCrl', 'remove it; revocation lists are not read');
  const clientCertificate = readClientCertificate(fields);
  if (mode === 'MUTUAL' && clientCertificate === undefined)
    fields.reject('clientCertificate', 'is required with MUTUAL, and privateKey', 'name both files');
  if (mode !== 'MUTUAL' && clientCertificate !== undefined)
    fields.reject('clientCertificate', `has no meaning with ${mode}`, 'use mode MUTUAL, or remove it');
  return {
    mode: MODES[mode],
    serverName: fields.string('sni'),
    subjectAltNames: fields.strings('subjectAltNames'),
    trustedRoots: readRoots(fields),
    clientCertificate,
    credential: undefined,
    skipVerification: fields.boolean('insecureSkipVerify') ?? false,
    alpn: [],
  };
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

function readRoots(fields: Fields): TrustedRoots {
  const path = fields.string('caCertificates');
  return path === undefined || path === SYSTEM_ROOTS ? { kind: 'system' } : { kind: 'file', path };
}
