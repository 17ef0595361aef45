import { readdirSync, readFileSync } from 'node:fs';
import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';

/** What one proxy holds at a moment. */
export interface Footprint {
  readonly descriptors: number;
  readonly residentMb: number;
  /** Connections and requests that are under way, and those that wait for one: of `/debug/connections`. */
  readonly live: number;
  /** Connections that are kept for later: a waypoint tells of them. */
  readonly pooled: number;
}

export type Footprints = ReadonlyMap<string, Footprint>;

/** What memory may have grown by: heaps are not swept while nothing is asked of them. */
const MEMORY_SLACK = 1.2;
const MEMORY_SLACK_MB = 10;

/** What has not come back to where it began, one line each; empty: everything has. Pure. */
export function whatIsLeft(before: Footprints, after: Footprints): readonly string[] {
  return [...before].flatMap(([name, was]) => {
    const is = after.get(name);
    if (is === undefined) return [`${name} is gone`];
    const allowedMb = was.residentMb * MEMORY_SLACK + MEMORY_SLACK_MB;
    return [
      ...(is.live > 0 ? [`${name}: ${is.live} connections or requests are left`] : []),
      ...(is.descriptors > was.descriptors
        ? [`${name}: ${is.descriptors} descriptors, ${was.descriptors} at first`]
        : []),
      ...(is.pooled > was.pooled ? [`${name}: ${is.pooled} pooled connections, ${was.pooled} at first`] : []),
      ...(is.residentMb > allowedMb
        ? [`${name}: ${is.residentMb.toFixed(0)} MB, ${was.residentMb.toFixed(0)} MB at first`]
        : []),
    ];
  });
}

/** @param dump of the proxy's `/debug/connections` */
export function readFootprint(pid: number, dump: string): Footprint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const residentKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    residentMb: residentKb / 1024,
    ...countConnections(dump),
  };
}

/** Of either tier: a ztunnel lists its connections, a waypoint counts by thread. */
export function countConnections(dump: string): Pick<Footprint, 'live' | 'pooled'> {
  const value = parseJson(dump);
  if (!isJsonObject(value)) throw new Error(`not a dump of connections: ${dump.slice(0, 200)}`);
  const threads = objects(value['threads']);
  const upstream = threads.flatMap(thread => objects(thread['upstream']));
  const live = sum(threads, ['inFlight', 'httpConnections', 'tcpConnections']) + sum(upstream, ['pending']);
  return { live: live + objects(value['connections']).length, pooled: sum(upstream, ['connections']) };
}

function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function sum(list: readonly JsonObject[], fields: readonly string[]): number {
  return list.reduce((all, item) => all + fields.reduce((n, field) => n + Number(item[field] ?? 0), 0), 0);
}
