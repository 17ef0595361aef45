import { VERSION } from '../config/version.ts';
import type { MetricSet } from './metric-set.ts';

/** The gauge by which dashboards tell versions apart; its value is always 1. */
export function registerBuild(metrics: MetricSet, component: string): void {
  metrics
    .gauge({ name: 'istio_build', help: 'What this process was built from.', labels: ['component', 'tag'] })
    .cell([component, VERSION]).value = 1;
}
