import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { ChainState } from './cni/chain-keeper.ts';
import type { NodePod } from './node-agent.ts';

/** What dashboards see of a node agent. */
export interface NodeMetrics {
  podsStarted(): void;
  podsStopped(): void;
  chain(state: ChainState): void;
  /** Called before the metrics are shown. */
  update(pods: readonly NodePod[], unmeshed: readonly NodePod[]): void;
}

export function createNodeMetrics(metrics: MetricSet): NodeMetrics {
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels: [] });
  const counter = (name: string, help: string) => metrics.counter({ name, help, labels: [] }).cell([]);
  const active = gauge('workload_manager_active_proxy_count', 'Pods of this node that are captured now.');
  const pending = gauge(
    'workload_manager_pending_proxy_count',
    'Pods of this node that are to be captured, and could not be: their traffic is outside the mesh, or refused.',
  );
  const started = counter('workload_manager_proxies_started_total', 'Pods captured.');
  const stopped = counter('workload_manager_proxies_stopped_total', 'Pods no longer captured.');
  const installed = metrics.gauge({
    name: 'istio_cni_install_ready',
    help: '1 while the CNI plugin is in the chain of this node; absent where this process does not keep it there.',
    labels: [],
  });
  return {
    podsStarted: () => void started.value++,
    podsStopped: () => void stopped.value++,
    chain: state => void (installed.cell([]).value = state.installed ? 1 : 0),
    update(pods, unmeshed) {
      active.cell([]).value = pods.filter(({ status }) => status.state === 'enrolled').length;
      pending.cell([]).value = unmeshed.length;
    },
  };
}
