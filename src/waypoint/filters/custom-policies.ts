import type { CompiledPolicySet } from '#shared/authz/compile.ts';
import { customProviders } from '#shared/authz/evaluate.ts';
import type { ExternalAuthorizer } from '#shared/route/external-authorizer.ts';
import { externalAuthorization } from './external-authorization.ts';
import { FilterRun, type FilterStep } from './filter-step.ts';
import { judgedRequest } from './judged-request.ts';
import { accessDenied } from './refusal.ts';

/** Asks the authorizers of the policies of action CUSTOM that match a request; all of them must allow it. */
export function customAuthorization(
  policies: CompiledPolicySet,
  authorizers: readonly ExternalAuthorizer[],
): FilterStep {
  const steps = new Map(authorizers.map(authorizer => [authorizer.name, externalAuthorization(authorizer)]));
  return (context, done) => {
    const { authz } = context.downstream;
    const providers = customProviders(policies, authz, judgedRequest(context.request), context.token);
    if (providers.length === 0) {
      done(undefined);
      return undefined;
    }
    const asked = providers.map(provider => steps.get(provider) ?? unknownProvider(provider));
    const run = new FilterRun(asked, context, done);
    run.start();
    return () => run.cancel();
  };
}

/** Nobody can be asked: a policy that wanted somebody asked would else let everything pass. */
function unknownProvider(provider: string): FilterStep {
  const refusal = accessDenied(
    `a CUSTOM policy names the provider ${JSON.stringify(provider)}, which is not configured`,
  );
  return (_context, done) => {
    done(refusal);
    return undefined;
  };
}
