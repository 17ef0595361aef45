import type { KubeObject } from '../../source/kube-object.ts';
import type { Fields } from '../decode.ts';
import { isService } from '../gateway-route/parent-ref.ts';
import { objectAt, objectsAt, textAt } from '../loose-fields.ts';

/** A Service of the policy's namespace. */
export interface BackendTlsTarget {
  readonly name: string;
  /** Of the port; undefined: of every port that no policy names. */
  readonly sectionName: string | undefined;
}

/** As Gateway API bounds it: as many ancestors have a place in the status. */
const MAX_TARGETS = 16;

export function readTargets(spec: Fields): readonly BackendTlsTarget[] {
  const targets = spec.objects('targetRefs', readTarget).filter(target => target !== undefined);
  if (!spec.has('targetRefs')) spec.reject('targetRefs', 'is required', 'name the Service it is for');
  if (targets.length > MAX_TARGETS)
    spec.reject('targetRefs', `names more than ${MAX_TARGETS} targets`, 'make several policies');
  const fault = faultAmong(targets);
  if (fault !== undefined) spec.reject('targetRefs', fault, 'name each port once, in sectionName');
  return targets;
}

function readTarget(fields: Fields): BackendTlsTarget | undefined {
  const group = fields.string('group') ?? '';
  const kind = fields.requiredString('kind');
  const name = fields.requiredString('name');
  const sectionName = fields.string('sectionName') || undefined;
  fields.refused('namespace', 'put the policy into the namespace of the Service');
  if (isService({ group, kind })) return { name, sectionName };
  fields.ignore('kind', `${kind} cannot be a target`, 'name a Service');
  return undefined;
}

/** The Service as a whole and a port of it in one policy would be two things, as a port twice would be one. */
function faultAmong(targets: readonly BackendTlsTarget[]): string | undefined {
  for (const [name, same] of Map.groupBy(targets, target => target.name)) {
    const sections = same.map(({ sectionName }) => sectionName);
    if (new Set(sections).size < sections.length) return `names ${name} twice`;
    if (sections.length > 1 && sections.includes(undefined)) return `names ${name} with and without a port`;
  }
  return undefined;
}

/** The same of an object that is wrong somewhere: whom it was meant for. */
export function looseTargets({ spec }: KubeObject): readonly BackendTlsTarget[] {
  return objectsAt(objectAt(spec), 'targetRefs').flatMap(target => {
    const [group = '', kind = '', name = ''] = ['group', 'kind', 'name'].map(key => textAt(target, key));
    if (!isService({ group, kind }) || name === '') return [];
    return [{ name, sectionName: textAt(target, 'sectionName') || undefined }];
  });
}
