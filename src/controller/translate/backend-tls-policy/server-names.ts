import { isIP } from 'node:net';
import type { Fields } from '../decode.ts';

/** What a server is called, and what its certificate is to be for. */
export interface ServerNames {
  readonly hostname: string;
  readonly subjectAltNames: readonly string[];
}

/** RFC 1123, as Gateway API has it. */
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const PRECISE = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
/** A wildcard is the name in the certificate, not what matches it. */
const NAME = new RegExp(`^(\\*\\.)?${LABEL}(\\.${LABEL})*$`);
/** RFC 3986 §3, with a `//` behind the scheme. */
const URI = /^[A-Za-z][-+.A-Za-z0-9]*:\/\/\S+$/;
const MAX_CHARS = 253;
const MAX_NAMES = 5;

export function readServerNames(fields: Fields): ServerNames {
  const hostname = fields.requiredString('hostname');
  if (hostname !== '' && !isHost(hostname, PRECISE))
    fields.reject('hostname', 'is no host name', 'write one in lower case, without a wildcard; no address');
  const subjectAltNames = fields.objects('subjectAltNames', readName);
  if (subjectAltNames.length > MAX_NAMES)
    fields.reject('subjectAltNames', `has more than ${MAX_NAMES} names`, 'leave some out');
  return { hostname, subjectAltNames };
}

function readName(fields: Fields): string {
  const type = fields.oneOf('type', ['Hostname', 'URI']);
  const [hostname = '', uri = ''] = [fields.string('hostname'), fields.string('uri')];
  switch (type) {
    case 'Hostname':
      if (uri !== '') fields.reject('uri', 'has no meaning with type Hostname', 'set hostname instead');
      if (!isHost(hostname, NAME))
        fields.reject('hostname', 'is no host name', 'write one in lower case; no address');
      return hostname;
    case 'URI':
      if (hostname !== '') fields.reject('hostname', 'has no meaning with type URI', 'set uri instead');
      if (!URI.test(uri) || uri.length > MAX_CHARS)
        fields.reject('uri', 'is no absolute URI', 'write one such as spiffe://example.com/ns/shop/sa/api');
      return uri;
    case undefined:
      if (!fields.has('type')) fields.reject('type', 'is required', 'use Hostname or URI');
      return '';
  }
}

function isHost(name: string, pattern: RegExp): boolean {
  return name.length <= MAX_CHARS && pattern.test(name) && isIP(name) === 0;
}
