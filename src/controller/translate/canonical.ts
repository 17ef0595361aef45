import { CANONICAL_NAME, CANONICAL_REVISION } from './mesh-labels.ts';

/** The name telemetry groups workloads under: the first of these labels, else the workload's own name. */
export function canonicalName(labels: Readonly<Record<string, string>>, workloadName: string): string {
  return labels[CANONICAL_NAME] || labels['app.kubernetes.io/name'] || labels['app'] || workloadName;
}

export function canonicalRevision(labels: Readonly<Record<string, string>>): string {
  return labels[CANONICAL_REVISION] || labels['app.kubernetes.io/version'] || labels['version'] || 'latest';
}
