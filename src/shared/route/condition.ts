import type { PathMatch, ValueMatch } from './model.ts';

/** What a request must be, as a tree. Bounded by `MAX_CONDITION_DEPTH` and `MAX_CONDITION_NODES` at the boundary. */
export type RequestCondition =
  | { readonly kind: 'path'; readonly path: PathMatch }
  | { readonly kind: 'header'; readonly header: ValueMatch }
  | { readonly kind: 'query'; readonly query: ValueMatch }
  | { readonly kind: 'all' | 'any'; readonly of: readonly RequestCondition[] }
  | { readonly kind: 'not'; readonly condition: RequestCondition };

/** What a response must be, as a tree. */
export type ResponseCondition =
  | { readonly kind: 'status'; readonly min: number; readonly max: number }
  | { readonly kind: 'all' | 'any'; readonly of: readonly ResponseCondition[] }
  | { readonly kind: 'not'; readonly condition: ResponseCondition };

export interface ResponseClass {
  readonly condition: ResponseCondition;
  readonly isFailure: boolean;
}

export const MAX_CONDITION_DEPTH = 8;
export const MAX_CONDITION_NODES = 256;
