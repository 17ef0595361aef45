import type { Fields } from '../decode.ts';

export type ProviderKind = 'access log' | 'tracing' | 'metrics';

/** What a provider of the mesh's configuration is for; undefined: there is none of this name that waypoints have. */
export type ProviderLookup = (name: string) => ProviderKind | undefined;

/**
 * Where it goes to is configured at the waypoint: a provider has to be of a kind that waypoints have (a log to standard
 * output, OTLP, Prometheus).
 */
export function readProviders(fields: Fields, kind: ProviderKind, providers: ProviderLookup): void {
  fields.objects('providers', provider => {
    const name = provider.requiredString('name');
    if (name !== '' && providers(name) !== kind)
      provider.reject('name', `is no provider of ${FOR[kind]} that waypoints have`, `use ${FIX[kind]}`);
  });
}

const FOR = { 'access log': 'access logs', tracing: 'traces', metrics: 'metrics' } as const;
const FIX = {
  'access log': '"envoy", or an extensionProvider with envoyFileAccessLog',
  tracing: 'an extensionProvider with opentelemetry',
  metrics: '"prometheus", or an extensionProvider with prometheus',
} as const;

/** `match` of an entry: what it says of clients alone is not for a waypoint, which stands before servers. */
export function isForClientsAlone(fields: Fields): boolean {
  const mode = fields.oneOf('mode', ['CLIENT_AND_SERVER', 'CLIENT', 'SERVER']);
  if (mode !== 'CLIENT') return false;
  fields.ignore(
    'mode',
    'CLIENT has no meaning: a waypoint stands before servers',
    'use SERVER or leave it out',
  );
  return true;
}

/** Istio's names for what is there without configuration. */
export const BUILT_IN_PROVIDERS: ReadonlyMap<string, ProviderKind> = new Map([
  ['envoy', 'access log'],
  ['prometheus', 'metrics'],
]);
