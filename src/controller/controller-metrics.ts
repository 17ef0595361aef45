import type { Readiness } from '#shared/lifecycle/readiness.ts';
import { metricsRoutes } from '#shared/observability/admin-routes.ts';
import type { AdminRoute } from '#shared/observability/admin-server.ts';
import { MetricSet } from '#shared/observability/metric-set.ts';
import { createMetricsExposition } from '#shared/observability/metrics.ts';
import { registerProcess } from '#shared/observability/process-metrics.ts';
import { createCaMetrics } from './ca/ca-metrics.ts';
import type { CertificateAuthority } from './ca/certificate-authority.ts';
import type { DiscoveryServer } from './discovery/discovery-server.ts';
import { createServerMetrics } from './discovery/server-metrics.ts';
import type { MeshIndex } from './index/mesh-index.ts';
import { registerLeadership } from './kube/leader-metrics.ts';
import type { Leadership } from './kube/leadership.ts';
import { LEASE_NAME } from './platform.ts';
import { createSourceMetrics } from './source/source-metrics.ts';

/** What is looked at when somebody asks. */
export interface MeasuredParts {
  readonly readiness: Readiness;
  readonly leadership: Leadership;
  readonly ca: CertificateAuthority;
  readonly discovery: DiscoveryServer;
  readonly index: MeshIndex;
  /** Kinds, or files, that cannot be read now. */
  readonly problems: () => number;
}

/** Everything that a controller measures. */
export class ControllerMetrics {
  readonly #set = new MetricSet();
  readonly server = createServerMetrics(this.#set);
  readonly ca = createCaMetrics(this.#set);
  readonly source = createSourceMetrics(this.#set);

  /** Called once. Dashboards know the component under the name of Istio's. */
  routes({ ca, discovery, index, leadership, problems, readiness }: MeasuredParts): AdminRoute[] {
    const exposition = createMetricsExposition();
    const updateProcess = registerProcess(this.#set, 'pilot', readiness);
    const updateLeadership = registerLeadership(this.#set, LEASE_NAME, leadership);
    const render = (): Promise<string> => {
      updateProcess();
      updateLeadership();
      this.server.update(discovery.states());
      this.ca.update(ca);
      this.source.update({ problems: problems(), objects: index.rejected() });
      return exposition.render([this.#set.snapshot()]);
    };
    return metricsRoutes(render, exposition.contentType);
  }
}
