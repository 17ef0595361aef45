import { parseJwks } from '#shared/jwt/jwks.ts';
import type { TokenIssuer, TokenKeys, TokenLocation } from '#shared/route/token-issuer.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { headerName } from '../http-headers.ts';
import { checkKeysUri } from '../token-keys.ts';
import { DEFAULT_LOCATIONS } from '../token-locations.ts';

/** Consul's: of a fetch of keys, and what clocks may differ by. */
const DEFAULT_TIMEOUT_MS = 1_500;
const DEFAULT_CLOCK_SKEW_S = 30;
const MAX_CLOCK_SKEW_S = 24 * 60 * 60;
const MAX_TIMEOUT_MS = 60_000;

/** Consul JWTProvider. ServiceIntentions find it by name, in whichever namespace it is. */
export function translateJwtProvider(object: KubeObject): Translated<TokenIssuer> {
  const diagnostics = new Diagnostics(object);
  const { name, namespace } = object.metadata;
  const read = readSpec(object, diagnostics, spec => readProvider(spec, `${namespace}/${name}`));
  return diagnostics.conclude(read ?? { ...NOTHING, name: `${namespace}/${name}` });
}

const NOTHING: Omit<TokenIssuer, 'name'> = {
  issuer: undefined,
  audiences: [],
  keys: { kind: 'inline', jwks: '' },
  from: DEFAULT_LOCATIONS,
  forwardOriginal: false,
  outputPayloadToHeader: undefined,
  outputClaimToHeaders: [],
  timeoutMs: DEFAULT_TIMEOUT_MS,
  clockSkewMs: DEFAULT_CLOCK_SKEW_S * 1_000,
  requiredClaims: [],
  spaceDelimitedClaims: [],
  required: false,
};

function readProvider(spec: Fields, name: string): TokenIssuer {
  const { keys = NOTHING.keys, timeoutMs = DEFAULT_TIMEOUT_MS } =
    spec.object('jsonWebKeySet', readKeySet) ?? {};
  if (!spec.has('jsonWebKeySet'))
    spec.reject('jsonWebKeySet', 'is required', 'set jsonWebKeySet.remote.uri, or jsonWebKeySet.local.jwks');
  const found = spec.objects('locations', readLocation);
  const from = found.map(({ location }) => location).filter(one => one !== undefined);
  const skewS = spec.integer('clockSkewSeconds', 0, MAX_CLOCK_SKEW_S) || DEFAULT_CLOCK_SKEW_S;
  // How much is kept of tokens that were verified: here none are.
  spec.has('cacheConfig');
  return {
    ...NOTHING,
    name,
    issuer: spec.requiredString('issuer'),
    audiences: spec.strings('audiences'),
    keys,
    timeoutMs,
    from: from.length > 0 ? from : DEFAULT_LOCATIONS,
    forwardOriginal: found.some(({ forward }) => forward),
    outputPayloadToHeader: spec.object('forwarding', readForwarding),
    clockSkewMs: skewS * 1_000,
  };
}

interface KeySet {
  readonly keys: TokenKeys;
  readonly timeoutMs: number;
}

function readKeySet(fields: Fields): KeySet | undefined {
  if (fields.has('local') === fields.has('remote'))
    fields.reject('remote', 'is required, or local, and only one of them', 'keep the one you mean');
  const local = fields.object('local', readLocal);
  const remote = fields.object('remote', readRemote);
  return local ?? remote;
}

function readLocal(fields: Fields): KeySet | undefined {
  fields.refused('filename', 'write the key set into jwks: waypoints have no files of yours');
  const jwks = Buffer.from(fields.string('jwks') ?? '', 'base64').toString();
  const keys = parseJwks(jwks);
  if (!keys.ok && !fields.has('filename'))
    fields.reject('jwks', `cannot be used: ${keys.reason}`, 'write a JSON Web Key Set in base64');
  return { keys: { kind: 'inline', jwks }, timeoutMs: DEFAULT_TIMEOUT_MS };
}

function readRemote(fields: Fields): KeySet | undefined {
  const uri = fields.requiredString('uri');
  if (uri !== '') checkKeysUri(fields, 'uri', uri);
  const timeoutMs = fields.integer('requestTimeoutMs', 0, MAX_TIMEOUT_MS) || DEFAULT_TIMEOUT_MS;
  // Keys are fetched anew every twenty minutes, and before when a token names one that is not there.
  for (const key of ['cacheDuration', 'fetchAsynchronously', 'retryPolicy', 'useSNI']) fields.has(key);
  if (fields.has('jwksCluster'))
    fields.ignore(
      'jwksCluster',
      'is not read: the server of the keys is verified by the usual roots',
      'set JWKS_EXTRA_ROOTS on the waypoint where it has others',
    );
  return { keys: { kind: 'uri', uri }, timeoutMs };
}

const KINDS = ['header', 'queryParam', 'cookie'] as const;

function readLocation(fields: Fields): {
  readonly location: TokenLocation | undefined;
  readonly forward: boolean;
} {
  let forward = false;
  const header = fields.object('header', (of): TokenLocation => {
    forward = of.boolean('forward') ?? false;
    const name = headerName(of, 'name', of.requiredString('name'));
    const prefix = of.string('valuePrefix') ?? '';
    // Consul writes the prefix of the scheme without the space behind it.
    return { kind: 'header', name, prefix: prefix === '' || prefix.endsWith(' ') ? prefix : `${prefix} ` };
  });
  const query = fields.object(
    'queryParam',
    (of): TokenLocation => ({ kind: 'query', name: of.requiredString('name') }),
  );
  const cookie = fields.object(
    'cookie',
    (of): TokenLocation => ({ kind: 'cookie', name: of.requiredString('name') }),
  );
  if (KINDS.filter(kind => fields.has(kind)).length !== 1)
    fields.reject(
      'header',
      'is required, or queryParam, or cookie, and only one of them',
      'keep the one you mean',
    );
  return { location: header ?? query ?? cookie, forward };
}

/** The header that gets the payload of a token. */
function readForwarding(fields: Fields): string | undefined {
  const header = fields.string('headerName') ?? '';
  if (fields.boolean('padForwardPayloadHeader') === true)
    fields.ignore(
      'padForwardPayloadHeader',
      'has no effect: the payload is base64url without padding',
      'remove it',
    );
  return header === '' ? undefined : headerName(fields, 'headerName', header);
}
