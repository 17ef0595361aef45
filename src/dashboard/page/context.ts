import type { DescriptionReply, Frame, TapEvent } from '#shared/dashboard/frames.ts';
import type { EdgeLabel } from '../graph/appearance.ts';
import type { Sorting } from '../table/sort.ts';
import type { Route } from '../data/route.ts';
import type { StreamState } from './live-stream.ts';

/** What the page is at the moment: everything that views are made of. */
export interface PageState {
  readonly route: Route;
  /** Of the current route; undefined until the first has come. */
  readonly frame: Frame | undefined;
  readonly stream: StreamState;
  /** Of the window. */
  readonly width: number;
  readonly height: number;
  readonly graph: GraphState;
  /** By table. */
  readonly sorting: ReadonlyMap<string, Sorting>;
  readonly description: DescriptionState;
  /** Of a workload's page, the pod that is described. */
  readonly pod: string;
  readonly tap: TapState;
  /** What was copied last, for a moment. */
  readonly copied: string;
}

export interface GraphState {
  readonly label: EdgeLabel;
  readonly withIdle: boolean;
  /** Undefined: as large as it fits. */
  readonly zoom: number | undefined;
  readonly selected: Selection | undefined;
}

export interface Selection {
  readonly kind: 'node' | 'edge';
  readonly id: string;
}

export type DescriptionState =
  | { readonly state: 'none' }
  | { readonly state: 'asked' }
  | { readonly state: 'failed'; readonly why: string }
  | { readonly state: 'there'; readonly reply: DescriptionReply };

export interface TapFilterState {
  readonly method: string;
  readonly path: string;
  readonly status: string;
  readonly source: string;
}

export interface TapState {
  readonly isOn: boolean;
  /** Of a workload, the service whose requests are meant; empty: what it sends. */
  readonly of: string;
  readonly filter: TapFilterState;
  /** The latest first. */
  readonly events: readonly TapEvent[];
  readonly note: string;
}

/** What views do. */
export interface Actions {
  readonly go: (route: Route) => void;
  readonly graph: (change: Partial<GraphState>) => void;
  readonly sort: (table: string, sorting: Sorting) => void;
  readonly choosePod: (pod: string) => void;
  readonly describeAgain: () => void;
  readonly tapFilter: (change: Partial<TapFilterState>) => void;
  readonly tapOf: (service: string) => void;
  readonly tap: (isOn: boolean) => void;
  readonly copy: (text: string) => void;
}
