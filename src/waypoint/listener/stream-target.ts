import type { RoutedStream } from '#shared/route/match-stream.ts';
import type { RouteBackend, RouteRule } from '#shared/route/model.ts';
import type { StreamRule } from '#shared/route/stream-rule.ts';
import type { Downstream } from '../request/environment.ts';
import type { ServiceState } from '../services/service-state.ts';

/** Where a connection goes that is not HTTP. */
export type StreamTarget =
  | {
      readonly ok: true;
      readonly target: ServiceState;
      readonly port: number;
      readonly subset: string | undefined;
      /** 0 is none. */
      readonly idleTimeoutMs: number;
    }
  | {
      readonly ok: false;
      readonly failure: 'no_route' | 'no_backend' | 'unknown_service';
      readonly reason: string;
    };

/**
 * The first stream rule that matches decides; without any, a rule of HTTP that matches every request, whose weights hold for
 * connections too; else the service itself. A service with stream rules of which none matches is not reached.
 */
export function chooseStream(downstream: Downstream, stream: RoutedStream): StreamTarget {
  const { caller, env, port, service } = downstream;
  const { serverName } = stream;
  // Of other connections the hosts are not looked at, as in Istio: they name nobody.
  if (service.isWildcard && serverName !== '' && !service.covers(serverName.toLowerCase()))
    return { ok: false, failure: 'no_route', reason: `${serverName} is no host of ${service.name}` };
  const rule = service.streams.find(stream, port, caller);
  if (rule !== undefined) return follow(downstream, rule, env.split.pick(rule), rule.idleTimeoutMs ?? 0);
  if (service.streams.hasRulesFor(port, caller)) {
    const named = stream.protocol === 'tls' ? `TLS for ${JSON.stringify(stream.serverName)}` : 'TCP';
    return {
      ok: false,
      failure: 'no_route',
      reason: `no route of ${service.name} takes ${named} on port ${port}`,
    };
  }
  const plain = plainRule(service, port);
  const backend = plain === undefined ? undefined : env.split.pick(plain);
  if (plain === undefined || backend?.service === undefined)
    return { ok: true, target: service, port, subset: undefined, idleTimeoutMs: 0 };
  return follow(downstream, plain, backend, 0);
}

function plainRule(service: ServiceState, port: number): RouteRule | undefined {
  return service.routes?.rules.find(
    rule => rule.matches.length === 0 && (rule.ports.length === 0 || rule.ports.includes(port)),
  );
}

function follow(
  { env, service }: Downstream,
  rule: Pick<StreamRule, 'name'>,
  backend: RouteBackend | undefined,
  idleTimeoutMs: number,
): StreamTarget {
  if (backend?.service === undefined)
    return { ok: false, failure: 'no_backend', reason: `route ${rule.name} has no valid backend` };
  const target = backend.service === service.name ? service : env.services.get(backend.service);
  if (target === undefined)
    return { ok: false, failure: 'unknown_service', reason: `service ${backend.service} is not known` };
  return { ok: true, target, port: backend.port, subset: backend.subset, idleTimeoutMs };
}
