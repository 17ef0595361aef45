import type { Proxies } from '../proxies.ts';
import { type ApiFacts, gatherApiFacts } from './api-facts.ts';
import { chooseNamespace, describeNamespace } from './describe-namespace.ts';
import { choosePod, describePod } from './describe-pod.ts';
import { chooseService, describeService } from './describe-service.ts';
import type { Description } from './description.ts';
import { gatherFacts, type MeshFacts, type Wanted } from './mesh-facts.ts';

export const DESCRIBED_KINDS = ['pod', 'service', 'namespace'] as const;
export type DescribedKind = (typeof DESCRIBED_KINDS)[number];

interface Kind {
  readonly choose: (target: string) => (all: Wanted) => Wanted;
  readonly describe: (target: string, facts: MeshFacts, api: ApiFacts | undefined) => Description;
}

const KINDS: Readonly<Record<DescribedKind, Kind>> = {
  pod: { choose: choosePod, describe: describePod },
  service: { choose: chooseService, describe: describeService },
  namespace: { choose: chooseNamespace, describe: describeNamespace },
};

/** Asks the proxies what applies to it, and the API server where there is one. @throws CliError */
export async function describeTarget(
  kind: DescribedKind,
  target: string,
  proxies: Proxies,
): Promise<Description> {
  const { choose, describe } = KINDS[kind];
  const facts = await gatherFacts(await proxies.list(), choose(target));
  const api =
    proxies.api === undefined ? undefined : await gatherApiFacts(proxies.api, target.split('/')[0] ?? '');
  return describe(target, facts, api);
}
