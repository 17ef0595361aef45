import type { SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';

/** What the controller shows to its clients; PEM, the chain leaf first. */
export interface ServerCertificate {
  readonly certChainPem: string;
  readonly privateKeyPem: string;
}

/** Server credentials whose certificate can be replaced: new handshakes take the new one, live connections go on. */
export class RotatingServerCredentials extends ServerCredentials {
  constructor(certificate: ServerCertificate) {
    super({ requestCert: false }, contextOptions(certificate));
  }

  replace(certificate: ServerCertificate): void {
    this.updateSecureContextOptions(contextOptions(certificate));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOptions(certificate: ServerCertificate): SecureContextOptions {
  return { cert: certificate.certChainPem, key: certificate.privateKeyPem, minVersion: 'TLSv1.3' };
}
