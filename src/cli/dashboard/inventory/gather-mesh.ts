import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { children, text } from '#shared/config/json-fields.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { AskedProxy } from '../../check/cluster-snapshot.ts';
import { cliErrorOf } from '../../cli-error.ts';
import { findingsOf } from '../../commands/analyze.ts';
import {
  type ConfigDump,
  decodeConfigDump,
  type DumpedPolicy,
  type DumpedService,
  type DumpedWorkload,
} from '../../config-dump.ts';
import type { Proxies, ProxyRef } from '../../proxies.ts';
import { standings } from '../../proxy-standing.ts';
import { decodeSyncStatus } from '../../sync-status.ts';
import { type AskProxy, type PatientAsker, keyOf } from '../ask-mesh.ts';
import { buildInventory } from './inventory.ts';
import { type MeshState, NO_STATE } from './mesh-state.ts';
import { buildPolicies } from './policies.ts';

/** Asks every proxy and controller. What cannot be asked is a warning; when nothing can be, what was known before stays. */
export async function gatherMesh(
  proxies: Proxies,
  ask: AskProxy,
  asker: PatientAsker,
  before: MeshState = NO_STATE,
): Promise<MeshState> {
  let refs: readonly ProxyRef[];
  try {
    refs = await proxies.list();
  } catch (error) {
    return { ...before, warnings: [`what is shown is old: ${cliErrorOf(error).message}`] };
  }
  asker.keepOnly(refs);
  const known = new KnownByAll();
  const [dumps, controllers] = await Promise.all([
    asker.each(refs, async ref => known.add(ref, decodeConfigDump(await ask.json(ref, '/config_dump')))),
    askController(refs, ask),
  ]);
  const asked = refs.map(ref => askedProxy(ref, dumps.get(ref), asker.silence(ref), before));
  const silent = asked.flatMap(({ error, ref }) =>
    error === undefined ? [] : [`${ref.kind} ${ref.name}: ${error}`],
  );
  // Of a mesh that does not answer as a whole the last picture is better than none.
  const isDeaf = known.isEmpty && before.inventory.workloads.size > 0;
  const workloads = [...known.workloads.values()];
  return {
    proxies: refs,
    asked,
    standings: standings(
      controllers.synced,
      refs.filter(ref => ref.kind !== 'controller'),
    ),
    inventory: isDeaf
      ? before.inventory
      : buildInventory(workloads, [...known.services.values()], controllers.waypoints),
    policies: isDeaf ? before.policies : buildPolicies([...known.policies.values()], workloads, known.routes),
    findings: controllers.findings ?? before.findings,
    warnings: [...new Set([...silent, ...controllers.warnings])],
  };
}

/** Every ztunnel knows all of it: it is kept once. */
class KnownByAll {
  readonly workloads = new Map<string, DumpedWorkload>();
  readonly services = new Map<string, DumpedService>();
  readonly policies = new Map<string, DumpedPolicy>();
  readonly routes: JsonObject[] = [];

  get isEmpty(): boolean {
    return this.workloads.size === 0 && this.services.size === 0;
  }

  /** @returns what is the proxy's own */
  add({ kind }: ProxyRef, dump: ConfigDump): ConfigDump {
    if (kind === 'ztunnel') {
      for (const w of dump.workloads) if (!this.workloads.has(w.uid)) this.workloads.set(w.uid, w);
      for (const s of dump.services) keep(this.services, `${s.namespace}/${s.hostname}`, s);
      for (const p of dump.policies) keep(this.policies, `${p.namespace}/${p.name}`, p);
    }
    if (kind === 'waypoint') this.routes.push(...children(dump.raw, 'routes'));
    return { ...dump, workloads: [], services: [], policies: [], raw: {} };
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  if (!map.has(key)) map.set(key, value);
}

/** One that does not answer now may have a little while ago: its certificates are shown, and that it does not. */
function askedProxy(
  ref: ProxyRef,
  dump: ConfigDump | undefined,
  error: string | undefined,
  before: MeshState,
): AskedProxy {
  const last = before.asked.find(a => keyOf(a.ref) === keyOf(ref))?.dump;
  return { ref, dump: dump ?? last, error: dump === undefined ? error : undefined };
}

interface ToldByControllers {
  readonly synced: Parameters<typeof standings>[0];
  readonly waypoints: readonly string[];
  /** Undefined: none told. */
  readonly findings: MeshState['findings'] | undefined;
  readonly warnings: readonly string[];
}

/** Each replica knows the proxies connected to it; of objects and waypoints they know the same. */
async function askController(refs: readonly ProxyRef[], ask: AskProxy): Promise<ToldByControllers> {
  const controllers = refs.filter(ref => ref.kind === 'controller');
  const nothing = { synced: [], waypoints: [], findings: undefined };
  if (controllers.length === 0) return { ...nothing, warnings: ['no controller is running'] };
  const outcomes = await Promise.allSettled(
    controllers.map(async c => ({
      synced: decodeSyncStatus(await ask.json(c, '/debug/syncz'), c.name),
      waypoints: waypointNames(await ask.json(c, '/debug/waypoints')),
      findings: findingsOf(await ask.json(c, '/debug/objects'), undefined),
    })),
  );
  const told = outcomes.flatMap(o => (o.status === 'fulfilled' ? [o.value] : []));
  const failed = outcomes.flatMap(o => (o.status === 'rejected' ? [errorMessage(o.reason)] : []));
  return {
    synced: told.flatMap(({ synced }) => synced),
    waypoints: told[0]?.waypoints ?? [],
    findings: told[0]?.findings,
    warnings: failed.map(why => `controller: ${why}`),
  };
}

function waypointNames(answer: unknown): string[] {
  return (isJsonObject(answer) ? children(answer, 'waypoints') : []).map(
    w => `${text(w, 'namespace')}/${text(w, 'name')}`,
  );
}
