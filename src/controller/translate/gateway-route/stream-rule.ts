import type { StreamMatch, StreamRule } from '#shared/route/stream-rule.ts';
import type { Fields } from '../decode.ts';
import { readBackendRef } from './backend-ref.ts';
import type { RouteContext } from './route-context.ts';
import { ruleName } from './route-fields.ts';
import type { RankedStream } from './route-translation.ts';

/** A rule of a TCPRoute or TLSRoute: where connections go. */
export function readStreamRule(
  fields: Fields,
  index: number,
  context: RouteContext,
  as: { readonly protocol: StreamRule['protocol']; readonly matches: readonly StreamMatch[] },
): RankedStream {
  const { creationTimestamp, name, namespace } = context.route.metadata;
  const rule: StreamRule = {
    name: ruleName(fields, index, context),
    protocol: as.protocol,
    ports: [],
    consumer: undefined,
    callers: [],
    matches: as.matches,
    backends: fields.objects('backendRefs', backend => readBackendRef(backend, context, [])),
    idleTimeoutMs: undefined,
  };
  if (rule.backends.length === 0)
    fields.reject('backendRefs', 'is required', 'name the Services connections go to');
  return { rule, creationTimestamp, namespace, name };
}

/** The longest server name goes first, one without `*` before one with it; then the oldest route, then by name. */
export function sortStreams(streams: readonly RankedStream[]): readonly StreamRule[] {
  return streams
    .flatMap(splitByServerName)
    .sort(compareStreams)
    .map(({ rule }) => rule);
}

/** Names of one route may rank apart. */
function splitByServerName(stream: RankedStream): readonly RankedStream[] {
  const names = stream.rule.matches.flatMap(({ serverNames }) => serverNames);
  if (names.length < 2) return [stream];
  return names.map(serverName => ({
    ...stream,
    rule: {
      ...stream.rule,
      matches: [{ serverNames: [serverName], destinationIps: [], sourceIps: [], source: undefined }],
    },
  }));
}

function compareStreams(a: RankedStream, b: RankedStream): number {
  const [nameA, nameB] = [serverNameOf(a), serverNameOf(b)];
  return (
    Number(nameA.startsWith('*')) - Number(nameB.startsWith('*')) ||
    nameB.length - nameA.length ||
    compareText(a.creationTimestamp, b.creationTimestamp) ||
    compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`) ||
    compareText(nameA, nameB)
  );
}

function serverNameOf({ rule }: RankedStream): string {
  return rule.matches[0]?.serverNames[0] ?? '';
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
