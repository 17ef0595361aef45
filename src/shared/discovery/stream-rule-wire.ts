import type { StreamMatch, StreamRule } from '../route/stream-rule.ts';
import { cidrs, cidrToWire } from './authorization-wire.ts';
import { sourceFromWire, sourceToWire } from './match-wire.ts';
import { backendFromWire, backendToWire, portsFromWire } from './route-wire.ts';
import {
  readEach,
  readEnum,
  readIfSet,
  readOptionalMillis,
  readOptionalText,
  readText,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.StreamRule` ↔ `StreamRule`. */

const PROTOCOLS = ['tcp', 'tls'] as const;

/** @throws InvalidField */
export function streamRuleFromWire(wire: WireFields): StreamRule {
  return {
    name: readText(wire, 'name'),
    protocol: readEnum(wire, 'protocol', PROTOCOLS),
    ports: portsFromWire(wire),
    consumer: readOptionalText(wire, 'consumer'),
    callers: readTexts(wire, 'callers'),
    matches: readEach(wire, 'matches', streamMatchFromWire),
    backends: readEach(wire, 'backends', backendFromWire),
    idleTimeoutMs: readOptionalMillis(wire, 'idle_timeout_ms'),
  };
}

export function streamRuleToWire(rule: StreamRule): object {
  return {
    name: rule.name,
    protocol: PROTOCOLS.indexOf(rule.protocol),
    ports: rule.ports,
    consumer: rule.consumer,
    callers: rule.callers,
    matches: rule.matches.map(match => ({
      server_names: match.serverNames,
      destination_ips: match.destinationIps.map(cidrToWire),
      source_ips: match.sourceIps.map(cidrToWire),
      source: match.source && sourceToWire(match.source),
    })),
    backends: rule.backends.map(backendToWire),
    idle_timeout_ms: rule.idleTimeoutMs,
  };
}

function streamMatchFromWire(wire: WireFields): StreamMatch {
  return {
    serverNames: readTexts(wire, 'server_names'),
    destinationIps: cidrs(wire, 'destination_ips'),
    sourceIps: cidrs(wire, 'source_ips'),
    source: readIfSet(wire, 'source', sourceFromWire),
  };
}
