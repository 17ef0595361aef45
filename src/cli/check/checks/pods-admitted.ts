import { child, text } from '#shared/config/json-fields.ts';
import { fullName, type KubeObject } from '../../cluster/kube-object.ts';
import { nodeOf } from '../../cluster/mesh-pods.ts';
import { type Check, noneOf, unknown } from '../check.ts';

const PLUGIN = 'ambient-cni';
const MAX_REASON_CHARS = 300;

/** One of these on a node is all of them: the plugin is called for every pod. */
export const PODS_ADMITTED_CHECK: Omit<Check, 'category'> = {
  id: 'pods-admitted',
  description: 'the mesh keeps no pod from starting',
  severity: 'fatal',
  run: ({ events, pods }) => {
    if (events === undefined) return unknown('Events cannot be listed');
    const kept = new Map<string, { readonly pods: string[]; reason: string }>();
    for (const pod of pods.filter(p => text(p.status, 'phase') === 'Pending' && p.deleted === undefined)) {
      const event = events.findLast(e => isRefusalOf(e, pod));
      if (event === undefined) continue;
      const onNode = kept.get(nodeOf(pod));
      if (onNode !== undefined) onNode.pods.push(fullName(pod));
      else kept.set(nodeOf(pod), { pods: [fullName(pod)], reason: reasonOf(text(event.raw, 'message')) });
    }
    return noneOf(
      [...kept].map(
        ([
          node,
          {
            pods: [first = '', ...others],
            reason,
          },
        ]) => {
          const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
          return `node ${node}: pod ${first}${more} does not start: ${reason}`;
        },
      ),
    );
  },
};

function isRefusalOf(event: KubeObject, pod: KubeObject): boolean {
  const about = child(event.raw, 'involvedObject');
  return (
    text(event.raw, 'reason') === 'FailedCreatePodSandBox' &&
    text(about, 'name') === pod.name &&
    text(about, 'namespace') === pod.namespace &&
    text(event.raw, 'message').includes(PLUGIN)
  );
}

/** The kubelet's and the runtime's words in front of it say nothing. */
function reasonOf(message: string): string {
  const own = message.lastIndexOf(`${PLUGIN}: `);
  const reason =
    own >= 0 ? message.slice(own + PLUGIN.length + 2) : message.slice(message.indexOf(`"${PLUGIN}"`));
  return reason.slice(0, MAX_REASON_CHARS);
}
