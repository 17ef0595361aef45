import { child, children, texts } from '#shared/config/json-fields.ts';
import { type KubeObject, labels, text } from './kube-object.ts';

/** What the kubelet needs of a Pod: one container, which is a program of this repository. */
export interface PodSpec {
  readonly name: string;
  readonly namespace: string;
  readonly nodeName: string | undefined;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** TCP ports that must listen before the pod is ready. */
  readonly ports: readonly number[];
  /** Ports of every protocol that have a name. */
  readonly namedPorts: Readonly<Record<string, number>>;
}

/** Throws when the playground cannot run such a pod. */
export function podSpec(pod: KubeObject): PodSpec {
  const spec = child(pod.body, 'spec');
  const [container, ...others] = children(spec, 'containers');
  const where = `Pod ${pod.namespace}/${pod.name}`;
  if (container === undefined || others.length > 0)
    throw new Error(`${where}: the playground runs one container a pod`);
  const command = [...texts(container, 'command'), ...texts(container, 'args')];
  if (command.length === 0)
    throw new Error(`${where}: the container needs a command; images are not run here`);
  return {
    name: pod.name,
    namespace: pod.namespace,
    nodeName: text(spec, 'nodeName'),
    serviceAccount: text(spec, 'serviceAccountName') ?? 'default',
    labels: labels(pod),
    command,
    env: Object.fromEntries(
      children(container, 'env').map(e => [text(e, 'name') ?? '', text(e, 'value') ?? '']),
    ),
    ports: children(container, 'ports').flatMap(port => {
      const number = port['containerPort'];
      const tcp = (text(port, 'protocol') ?? 'TCP') === 'TCP';
      return typeof number === 'number' && tcp ? [number] : [];
    }),
    namedPorts: Object.fromEntries(
      children(container, 'ports').flatMap(port => {
        const [name, number] = [text(port, 'name'), port['containerPort']];
        return name !== undefined && typeof number === 'number' ? [[name, number] as const] : [];
      }),
    ),
  };
}

/** Whether two versions of a pod run the same program in the same place; labels and annotations may differ. */
export function runsTheSame(a: PodSpec, b: PodSpec): boolean {
  const program = ({ nodeName, serviceAccount, command, env, ports }: PodSpec): string =>
    JSON.stringify([nodeName, serviceAccount, command, env, ports]);
  return program(a) === program(b);
}
