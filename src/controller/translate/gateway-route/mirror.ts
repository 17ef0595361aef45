import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { readTarget } from './backend-ref.ts';
import { readFilterBody } from './header-modifier.ts';
import type { RouteContext } from './route-context.ts';

const MAX_FRACTION = 2_147_483_647;

/** `RequestMirror`, of HTTPRoute and GRPCRoute: a copy to one endpoint, whose answer nobody waits for. */
export function readMirror(fields: Fields, context: RouteContext): RouteFilter | undefined {
  return readFilterBody<RouteFilter | undefined>(
    fields,
    'requestMirror',
    body => {
      const target = body.object('backendRef', backend => readTarget(backend, context));
      if (target === undefined && !body.has('backendRef'))
        body.reject('backendRef', 'is required', 'name the Service requests are copied to');
      const mirror = { service: target?.service, port: target?.port ?? 0, subset: undefined };
      return { kind: 'mirror', mirror: { ...mirror, percent: readShare(body) } };
    },
    undefined,
  );
}

/** All, a percentage, or a fraction. */
function readShare(body: Fields): number {
  const percent = body.integer('percent', 0, 100);
  const fraction = body.object('fraction', fields => {
    const numerator = fields.integer('numerator', 0, MAX_FRACTION);
    const denominator = fields.integer('denominator', 1, MAX_FRACTION) ?? 100;
    if (numerator === undefined && !fields.has('numerator'))
      fields.reject('numerator', 'is required', 'set numerator');
    if ((numerator ?? 0) > denominator)
      fields.reject('numerator', 'is more than the denominator', 'write a fraction of at most 1');
    return (100 * (numerator ?? 0)) / denominator;
  });
  if (percent !== undefined && fraction !== undefined)
    body.reject('fraction', 'cannot be together with percent', 'keep one of the two');
  return percent ?? fraction ?? 100;
}
