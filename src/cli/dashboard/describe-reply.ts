import type { DescriptionReply } from '#shared/dashboard/frames.ts';
import { type Description, inEvaluationOrder, verdictOf } from '../describe/description.ts';

/** Pure: what `describe` prints, for the page. */
export function describeReply({ facts, hops, hopsTitle, title, warnings }: Description): DescriptionReply {
  return {
    title,
    facts,
    hopsTitle,
    hops: hops.map(({ policies, routes, ...hop }) => ({
      ...hop,
      policies: policies === undefined ? null : inEvaluationOrder(policies),
      verdict: policies === undefined ? '' : verdictOf(policies),
      routes: routes ?? [],
    })),
    warnings,
  };
}
