import { child, children, textMap } from '#shared/config/json-fields.ts';
import type { KubeObject } from './kube-object.ts';

const REDIRECTION = 'ambient.istio.io/redirection';

export interface PodFacts {
  readonly uid: string;
  readonly nodeName: string;
  readonly podIps: readonly string[];
  readonly hostIp: string;
  readonly ready: boolean;
  /** Whether the node's ztunnel says that it carries the pod's traffic. */
  readonly captured: boolean;
}

/** The Pod with what the kubelet and the node's ztunnel know of it. */
export function withPodStatus(pod: KubeObject, facts: PodFacts): KubeObject {
  const metadata = child(pod.body, 'metadata');
  const { [REDIRECTION]: _old, ...others } = textMap(metadata, 'annotations');
  const annotations = facts.captured ? { ...others, [REDIRECTION]: 'enabled' } : others;
  const condition = facts.ready ? 'True' : 'False';
  return {
    ...pod,
    body: {
      ...pod.body,
      metadata: { ...metadata, namespace: pod.namespace, uid: facts.uid, annotations },
      spec: { ...child(pod.body, 'spec'), nodeName: facts.nodeName },
      status: {
        phase: 'Running',
        hostIP: facts.hostIp,
        podIP: facts.podIps[0],
        podIPs: facts.podIps.map(ip => ({ ip })),
        conditions: [
          { type: 'Ready', status: condition },
          { type: 'ContainersReady', status: condition },
        ],
      },
    },
  };
}

export function isReportedReady(pod: KubeObject): boolean {
  return children(child(pod.body, 'status'), 'conditions').some(
    c => c['type'] === 'Ready' && c['status'] === 'True',
  );
}
