import { type Check, noneOf, unknown } from '../check.ts';
import type { OtherObjects } from '../other-kinds.ts';

/** Before an installation, since somebody who comes from another mesh may count on them, and after it. */
export const OTHER_KINDS_CHECK: Omit<Check, 'category'> = {
  id: 'other-kinds',
  description: 'no object is of a kind that is not read',
  severity: 'warning',
  run: ({ others }) =>
    others === undefined
      ? unknown('CustomResourceDefinitions cannot be listed')
      : noneOf(others.map(describeOthers)),
};

/** Of many, a few are named. */
const MAX_NAMED = 3;

function describeOthers({ group, instead, kind, names }: OtherObjects): string {
  if (names === undefined)
    return `${kind} (${group}) is installed and not read, and you may not list its objects: ${instead}`;
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return `${kind} (${group}) ${names.slice(0, MAX_NAMED).join(', ')}${more}: not read; ${instead}`;
}
