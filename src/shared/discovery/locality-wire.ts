import type { FailoverKey, LocalityPolicy } from '../route/traffic-policy.ts';
import {
  readEach,
  readEnum,
  readFlag,
  readIfSet,
  readName,
  readNumber,
  readPercent,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** `ambient.mesh.v1.LocalityPolicy` ↔ `LocalityPolicy`. */

const KEY_KINDS = ['network', 'cluster', 'region', 'zone', 'subzone', 'node', 'workloads'] as const;

/** @throws InvalidField */
export function localityFromWire(wire: WireFields): LocalityPolicy {
  return {
    enabled: readFlag(wire, 'enabled'),
    distribute: readEach(wire, 'distribute', entry => ({
      from: readName(entry, 'from'),
      to: readEach(entry, 'to', share => ({
        locality: readName(share, 'locality'),
        percent: readPercent(share, 'percent'),
      })),
    })),
    failover: readEach(wire, 'failover', entry => ({
      from: readName(entry, 'from'),
      to: readName(entry, 'to'),
    })),
    failoverPriority: readEach(wire, 'failover_priority', keyFromWire),
    zoneAware: readIfSet(wire, 'zone_aware', zone => ({
      minEndpoints: readNumber(zone, 'min_endpoints'),
      percent: readPercent(zone, 'percent'),
    })),
  };
}

export function localityToWire(locality: LocalityPolicy): object {
  const { zoneAware } = locality;
  return {
    enabled: locality.enabled,
    distribute: locality.distribute,
    failover: locality.failover,
    failover_priority: locality.failoverPriority.map(key => ({
      kind: KEY_KINDS.indexOf(key.kind),
      workloads: key.kind === 'workloads' ? key.workloads : [],
    })),
    zone_aware: zoneAware && { min_endpoints: zoneAware.minEndpoints, percent: zoneAware.percent },
  };
}

function keyFromWire(wire: WireFields): FailoverKey {
  const kind = readEnum(wire, 'kind', KEY_KINDS);
  return kind === 'workloads' ? { kind, workloads: readTexts(wire, 'workloads') } : { kind };
}
