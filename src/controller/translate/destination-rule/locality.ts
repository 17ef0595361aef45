import type { FailoverKey, LocalityDistribution } from '#shared/route/traffic-policy.ts';
import type { Fields } from '../decode.ts';
import { NETWORK, REGION, SUBZONE, ZONE } from '../mesh-labels.ts';
import type { LabelKey, LocalityRule } from './policy-parts.ts';

export function readLocality(fields: Fields): LocalityRule {
  const distribute = fields.objects('distribute', readDistribution);
  const failover = readFailover(fields);
  const failoverPriority = readPriority(fields);
  if (distribute.length > 0 && failover.length + failoverPriority.length > 0)
    fields.reject('distribute', 'cannot be together with failover', 'keep the one you mean');
  return {
    enabled: fields.boolean('enabled') ?? true,
    distribute,
    failover,
    failoverPriority,
    zoneAware: undefined,
  };
}

/** Endpoints in the region from which on zones are told apart. */
const MIN_CLUSTER_SIZE = 6;

/** Istio's `zoneAwareLbSetting`: regions as priorities, and within the own one as much as can be stays in the zone. */
export function readZoneAware(fields: Fields): LocalityRule | undefined {
  const enabled = fields.boolean('enabled') ?? true;
  const failover = readFailover(fields);
  const failoverPriority = readPriority(fields);
  const own = failoverPriority.find(({ kind }) => kind === 'region' || kind === 'zone' || kind === 'subzone');
  if (own !== undefined)
    fields.reject('failoverPriority', `names the ${own.kind}, which counts anyway`, 'remove it');
  const minEndpoints = fields.integer('minClusterSize', 1, 2 ** 31 - 1) ?? MIN_CLUSTER_SIZE;
  if (!enabled) return undefined;
  return {
    enabled,
    distribute: [],
    failover,
    failoverPriority,
    zoneAware: { minEndpoints, percent: 100 },
  };
}

function readFailover(fields: Fields): LocalityRule['failover'] {
  const failover = fields.objects('failover', entry => ({
    from: entry.requiredString('from'),
    to: entry.requiredString('to'),
  }));
  const same = failover.find(({ from, to }) => from === to && from !== '');
  if (same !== undefined)
    fields.reject('failover', `leads from ${same.from} to itself`, 'name another region');
  return failover;
}

function readPriority(fields: Fields): LocalityRule['failoverPriority'] {
  return fields
    .strings('failoverPriority')
    .map(text => readKey(fields, text))
    .filter(key => key !== undefined);
}

const LOCALITY = /^(?:\*|[^/*]+(?:\/(?:\*|[^/*]+(?:\/(?:\*|[^/*]+))?))?)$/;

function readDistribution(fields: Fields): LocalityDistribution {
  const from = fields.requiredString('from');
  checkLocality(fields, 'from', from);
  const to =
    fields.object('to', shares =>
      shares.keys().map(locality => {
        checkLocality(shares, locality, locality);
        return { locality, percent: shares.integer(locality, 0, 100) ?? 0 };
      }),
    ) ?? [];
  const total = to.reduce((sum, share) => sum + share.percent, 0);
  if (total !== 100) fields.reject('to', `adds up to ${total}`, 'let the shares add up to 100');
  return { from, to };
}

function checkLocality(fields: Fields, key: string, text: string): void {
  if (text !== '' && !LOCALITY.test(text))
    fields.reject(key, `"${text}" is no locality`, 'write region/zone/subzone, with * at the end for any');
}

const KEYS: ReadonlyMap<string, FailoverKey> = new Map([
  [NETWORK, { kind: 'network' }],
  ['topology.istio.io/cluster', { kind: 'cluster' }],
  [REGION, { kind: 'region' }],
  [ZONE, { kind: 'zone' }],
  [SUBZONE, { kind: 'subzone' }],
  ['kubernetes.io/hostname', { kind: 'node' }],
]);

/** A label of the topology, which endpoints share with the waypoint or not, or any label with the value they must have. */
function readKey(fields: Fields, text: string): FailoverKey | LabelKey | undefined {
  const known = KEYS.get(text);
  if (known !== undefined) return known;
  const equals = text.indexOf('=');
  if (equals > 0) return { kind: 'label', name: text.slice(0, equals), value: text.slice(equals + 1) };
  fields.reject(
    'failoverPriority',
    `"${text}" is a label of the client, which is the waypoint here`,
    `write ${text}=<value>, or a label of the topology: ${[...KEYS.keys()].join(', ')}`,
  );
  return undefined;
}
