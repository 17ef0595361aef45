/**
 * The only importer of `@peculiar/x509`. It reads decorator metadata while it loads, so `reflect-metadata` must have
 * been evaluated before it: the order of these two lines is what makes the import work.
 */
import 'reflect-metadata';

export {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type Name,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as PeculiarCertificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509';
