import type { RouteBackend, RouteRule } from '#shared/route/model.ts';
import type { RankedRule } from '#shared/route/precedence.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import { refusedRule } from './unresolved-filter.ts';
import { isForLinkerd, withParentAsBackend } from './parent-as-backend.ts';
import type { ParentOutcome } from './parent-ref.ts';
import type { RankedStream, RefFault, RouteAttachment, RouteLookup } from './route-translation.ts';

interface Ungranted {
  /** Key of the Service; undefined when it does not exist either. */
  readonly service: string | undefined;
  readonly report: () => void;
}

/** One route while it is read: what it may refer to, and what of it leads nowhere. */
export class RouteContext {
  readonly route: KubeObject;
  readonly objects: RouteLookup;
  readonly parents: readonly ParentOutcome[];
  readonly faults: RefFault[] = [];
  /** Names of rules so far. */
  readonly ruleNames = new Set<string>();
  readonly #ungranted: Ungranted[] = [];

  constructor(route: KubeObject, objects: RouteLookup, parents: readonly ParentOutcome[]) {
    this.route = route;
    this.objects = objects;
    this.parents = parents;
  }

  /** Reports a reference that leads nowhere; the rest of the route is used. */
  fault(
    fields: Fields,
    key: string,
    found: Pick<RefFault, 'reason' | 'message'> & { readonly fix: string },
    consequence = 'its share of requests is refused',
  ): undefined {
    const { fix, message, reason } = found;
    fields.ignore(key, `${message}: ${consequence}`, fix);
    this.faults.push({ reason, field: fields.at(key), message: `${message}; ${fix}` });
  }

  /** A reference to another namespace without its consent. */
  ungranted(
    fields: Fields,
    message: string,
    to: { readonly service: string | undefined; readonly fix: string },
  ): void {
    const report = (): void => {
      this.fault(fields, 'namespace', { reason: 'RefNotPermitted', message, fix: to.fix });
    };
    this.#ungranted.push({ service: to.service, report });
  }

  /**
   * The rules as they are for each parent. A route in a mesh widens nothing as long as it leads where its callers would
   * get without it, so the parent itself needs no grant (GEP-1294). Another Service in a foreign namespace does: it is
   * reached with the waypoint's identity, which may be let in where the callers are not.
   */
  attach(rules: readonly RankedRule[], streams: readonly RankedStream[] = []): readonly RouteAttachment[] {
    const attached = this.parents.flatMap(parent =>
      parent.reason === 'Accepted' ? parent.services.map(service => ({ ...parent, service })) : [],
    );
    for (const { report, service } of this.#ungranted) {
      if (attached.length === 0 || attached.some(parent => parent.service.key !== service)) report();
    }
    const own = this.route.metadata.namespace;
    return attached.flatMap(({ port, ref, service }) => {
      const granted = rules.map(ranked => ({
        ...ranked,
        rule: this.#withoutUngranted(ranked.rule, service.key),
      }));
      const parts = isForLinkerd(this.route, ref)
        ? withParentAsBackend(granted, service, port)
        : [{ port, rules: granted }];
      return parts.map(part => ({
        service: service.key,
        port: part.port,
        consumer: service.namespace === own ? undefined : own,
        rules: part.rules,
        streams: this.#grantedStreams(streams, service.key),
      }));
    });
  }

  #grantedStreams(streams: readonly RankedStream[], parent: string): readonly RankedStream[] {
    return streams.map(ranked => ({
      ...ranked,
      rule: { ...ranked.rule, backends: this.#granted(ranked.rule.backends, parent) },
    }));
  }

  #withoutUngranted(rule: RouteRule, parent: string): RouteRule {
    if (this.#ungranted.length === 0) return rule;
    const asks = rule.filters.some(
      filter => filter.kind === 'external_authorization' && this.#isDenied(filter.authorizer.service, parent),
    );
    if (asks) return refusedRule(rule);
    const filters = rule.filters.map(filter =>
      filter.kind === 'mirror' && this.#isDenied(filter.mirror.service, parent)
        ? { ...filter, mirror: { ...filter.mirror, service: undefined } }
        : filter,
    );
    return { ...rule, filters, backends: this.#granted(rule.backends, parent) };
  }

  #granted(backends: readonly RouteBackend[], parent: string): readonly RouteBackend[] {
    return backends.map(backend =>
      this.#isDenied(backend.service, parent) ? { ...backend, service: undefined } : backend,
    );
  }

  #isDenied(service: string | undefined, parent: string): boolean {
    return service !== parent && this.#ungranted.some(ungranted => ungranted.service === service);
  }
}
