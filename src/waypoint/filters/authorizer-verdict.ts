import { RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import type { ExternalAuthorizer } from '#shared/route/external-authorizer.ts';
import type { HeaderChange, HeaderValue } from '#shared/route/route-filter.ts';
import type { Refusal } from './refusal.ts';

/** What an external authorizer has said. */
export type AuthorizerVerdict =
  | {
      readonly kind: 'allow';
      /** To be made to the request. */
      readonly request: HeaderChange;
      /** To be made to the response. */
      readonly response: HeaderChange;
    }
  | {
      readonly kind: 'deny';
      readonly status: number;
      readonly headers: readonly HeaderValue[];
      readonly body: Buffer;
    }
  /** No answer, or none that can be understood. */
  | { readonly kind: 'error'; readonly reason: string };

/** @returns undefined: the request goes on */
export function verdictRefusal(
  verdict: Exclude<AuthorizerVerdict, { kind: 'allow' }>,
  authorizer: Pick<ExternalAuthorizer, 'name' | 'failOpen' | 'statusOnError'>,
): Refusal | undefined {
  const flag = RESPONSE_FLAGS.unauthorized;
  if (verdict.kind === 'deny') {
    const { body, headers, status } = verdict;
    const fields = headers.flatMap(({ name, value }) => [name, value]);
    const detail = `denied by external authorizer ${authorizer.name}`;
    return { status, headers: fields, body, flag, grpcStatus: undefined, detail };
  }
  if (authorizer.failOpen) return undefined;
  const detail = `external authorizer ${authorizer.name} failed: ${verdict.reason}`;
  return { status: authorizer.statusOnError, headers: [], body: '', flag, grpcStatus: undefined, detail };
}
