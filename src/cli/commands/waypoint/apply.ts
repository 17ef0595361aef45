import { CliError } from '../../cli-error.ts';
import type { Cli } from '../../cli.ts';
import type { KubeApi } from '../../cluster/kube-api.ts';
import { GATEWAY, NAMESPACE } from '../../cluster/kinds.ts';
import { DATAPLANE_MODE, USE_WAYPOINT } from '../../cluster/mesh-labels.ts';
import { isProgrammed, notProgrammedReason, waypointGateway, type WaypointSpec } from './gateway.ts';

export interface ApplyOptions {
  /** Label the namespace, so that all of it uses the waypoint. */
  readonly enrollNamespace: boolean;
  /** Also when the namespace uses another one. */
  readonly overwrite: boolean;
  /** ms; undefined: do not wait. */
  readonly waitMs: number | undefined;
}

const POLL_MS = 1_000;

/** Creates or changes a waypoint. What it found odd and did all the same goes to stderr. */
export async function applyWaypoint(
  spec: WaypointSpec,
  options: ApplyOptions,
  api: KubeApi,
  cli: Cli,
): Promise<void> {
  const { namespace: name } = spec;
  const namespace = await api.get(NAMESPACE, '', name);
  if (namespace === undefined)
    throw new CliError(`there is no namespace ${JSON.stringify(name)}; create it first`);
  const used = namespace.labels[USE_WAYPOINT];
  if (options.enrollNamespace && used !== undefined && used !== spec.name && !options.overwrite) {
    throw new CliError(`namespace ${name} uses waypoint ${used} already; --overwrite changes that`);
  }
  if ((await api.list(GATEWAY, { namespace: name })) === undefined) {
    throw new CliError(
      'the Gateway API is not installed in this cluster: apply its standard-install.yaml first; see: ambientctl check --pre',
    );
  }
  await api.apply(GATEWAY, waypointGateway(spec));
  cli.stdout(`waypoint ${name}/${spec.name} applied\n`);
  if (options.enrollNamespace) {
    await api.merge(NAMESPACE, '', name, { metadata: { labels: { [USE_WAYPOINT]: spec.name } } });
    cli.stdout(`namespace ${name} labeled ${USE_WAYPOINT}=${spec.name}\n`);
  }
  if (namespace.labels[DATAPLANE_MODE] !== 'ambient') {
    cli.stderr(
      `warning: namespace ${name} is not in the mesh: its clients do not use the waypoint; try: ambientctl namespace add ${name}\n`,
    );
  }
  if (options.waitMs !== undefined) await untilProgrammed(spec, options.waitMs, api, cli);
}

async function untilProgrammed(spec: WaypointSpec, waitMs: number, api: KubeApi, cli: Cli): Promise<void> {
  const deadline = cli.elapsed() + waitMs;
  for (;;) {
    const gateway = await api.get(GATEWAY, spec.namespace, spec.name);
    if (gateway !== undefined && isProgrammed(gateway)) {
      cli.stdout(`waypoint ${spec.namespace}/${spec.name} is ready\n`);
      return;
    }
    if (cli.elapsed() >= deadline) {
      const why = gateway === undefined ? 'it was deleted' : notProgrammedReason(gateway);
      throw new CliError(
        `waypoint ${spec.namespace}/${spec.name} is not ready after ${waitMs / 1_000} s: ${why}`,
      );
    }
    await cli.sleep(POLL_MS);
  }
}
