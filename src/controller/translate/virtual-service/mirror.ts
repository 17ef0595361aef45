import type { Fields } from '../decode.ts';
import type { HostContext } from '../istio-host.ts';
import { readTarget, type Target } from './destination.ts';
import { readPercentage } from './percentage.ts';

/** A mirror whose port may depend on the service's. */
export interface MirrorTarget {
  readonly target: Target;
  readonly percent: number;
}

/** Of requests, where nothing is said: all are copied. */
const EVERY_REQUEST = 100;

/** `mirror` with `mirrorPercentage`, or `mirrors`. Undefined when nothing is said of either. */
export function readMirrors(fields: Fields, context: HostContext): readonly MirrorTarget[] | undefined {
  const percent =
    readPercentage(fields, 'mirrorPercentage', ['mirrorPercent', 'mirror_percent']) ?? EVERY_REQUEST;
  const consequence = 'nothing is mirrored there';
  const one = fields.object('mirror', target => readTarget(target, context, consequence));
  const several = fields.objects('mirrors', mirror => {
    const share = readPercentage(mirror, 'percentage') ?? EVERY_REQUEST;
    const target = mirror.object('destination', found => readTarget(found, context, consequence));
    if (target === undefined && !mirror.has('destination'))
      mirror.reject('destination', 'is required', 'set destination.host');
    return target && { target, percent: share };
  });
  if (fields.has('mirror') && fields.has('mirrors'))
    fields.reject('mirrors', 'cannot be together with mirror', 'put all of them into mirrors');
  if (one !== undefined) return [{ target: one, percent }];
  return fields.has('mirrors') ? several.filter(mirror => mirror !== undefined) : undefined;
}
