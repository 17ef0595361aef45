import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { isConflict } from '#shared/kube/kube-error.ts';
import { PODS, SERVICE_ACCOUNTS } from '#shared/kube/core-resources.ts';
import { collectionPath, type KubeResource, objectPath } from '#shared/kube/resource.ts';

/** Makes an object, or leaves the one that is there. */
export async function ensureObject(api: KubeApi, resource: KubeResource, object: JsonObject): Promise<void> {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const namespace = typeof metadata['namespace'] === 'string' ? metadata['namespace'] : undefined;
  const body = {
    apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
    kind: resource.kind,
    ...object,
  };
  try {
    await api.request({ method: 'POST', path: collectionPath(resource, namespace), body });
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

export interface PodRequest {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly node: string;
  readonly ip?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A pod as the scheduler and the kubelet would leave it: on its node, running and ready when it has an address. */
export async function createPod(api: KubeApi, pod: PodRequest): Promise<JsonObject> {
  const { annotations = {}, ip, labels = {}, name, namespace, node, serviceAccount } = pod;
  const made = await api.request({
    method: 'POST',
    path: collectionPath(PODS, namespace),
    body: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels, annotations },
      spec: {
        nodeName: node,
        serviceAccountName: serviceAccount,
        containers: [{ name: 'app', image: 'app:1', ports: [{ name: 'http', containerPort: 8080 }] }],
      },
    },
  });
  if (ip === undefined) return made;
  return api.request({
    method: 'PUT',
    path: objectPath(PODS, namespace, name, 'status'),
    body: {
      ...made,
      status: {
        phase: 'Running',
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    },
  });
}

/** A token as the kubelet projects it into the pod, bound to it; without a pod, bound to nothing. */
export async function createToken(
  api: KubeApi,
  namespace: string,
  serviceAccount: string,
  options: { readonly audiences: readonly string[]; readonly pod?: JsonObject; readonly seconds?: number },
): Promise<string> {
  const { audiences, pod, seconds = 3600 } = options;
  const metadata = isJsonObject(pod?.['metadata']) ? pod['metadata'] : undefined;
  const bound = metadata && {
    boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: metadata['name'], uid: metadata['uid'] },
  };
  const made = await api.request({
    method: 'POST',
    path: objectPath(SERVICE_ACCOUNTS, namespace, serviceAccount, 'token'),
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences, expirationSeconds: seconds, ...bound },
    },
  });
  const status = isJsonObject(made['status']) ? made['status'] : {};
  if (typeof status['token'] !== 'string') throw new Error('TokenRequest without a token');
  return status['token'];
}
