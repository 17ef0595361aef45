import type { WorkloadType } from '#shared/workload/workload.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { flagAt, objectAt, objectsAt, textAt } from '../loose-fields.ts';
import { WORKLOAD_NAME } from '../mesh-labels.ts';

interface Owner {
  readonly workloadName: string;
  readonly workloadType: WorkloadType;
}

/** A scheduled Job is named after its CronJob and the minute it is for. */
const SCHEDULED = /^(.+)-\d{8,10}$/;

/** What a pod is one of, as telemetry names it: the Deployment of its ReplicaSet, the CronJob of its Job, else the owner. */
export function podOwner(pod: KubeObject): Owner {
  const labels = pod.metadata.labels;
  const owner = controllerOf(pod);
  return { ...owner, workloadName: labels[WORKLOAD_NAME] || owner.workloadName };
}

function controllerOf(pod: KubeObject): Owner {
  const references = objectsAt(objectAt(pod.body, 'metadata'), 'ownerReferences');
  const reference = references.find(r => flagAt(r, 'controller')) ?? {};
  const name = textAt(reference, 'name');
  if (name === undefined) return { workloadName: pod.metadata.name, workloadType: 'pod' };
  switch (textAt(reference, 'kind')) {
    case 'ReplicaSet': {
      const hash = pod.metadata.labels['pod-template-hash'];
      const isDeployment = hash !== undefined && name.endsWith(`-${hash}`);
      return {
        workloadName: isDeployment ? name.slice(0, -hash.length - 1) : name,
        workloadType: 'deployment',
      };
    }
    case 'Job': {
      const cronJob = SCHEDULED.exec(name)?.[1];
      return cronJob === undefined
        ? { workloadName: name, workloadType: 'job' }
        : { workloadName: cronJob, workloadType: 'cronjob' };
    }
    case 'Deployment':
      return { workloadName: name, workloadType: 'deployment' };
    // StatefulSet, DaemonSet and custom owners: the wire has no name for them.
    case undefined:
    default:
      return { workloadName: name, workloadType: 'pod' };
  }
}
