import type { KubeObject } from './kube-object.ts';

/** Where the controller's objects come from: a directory here, the API server of a cluster elsewhere. */
export interface ObjectSource {
  /**
   * Resolves when every object that is there has been handed over; changes follow until `stop`.
   * Rejects when the source as a whole cannot be read.
   */
  start(events: SourceEvents): Promise<void>;
  stop(): Promise<void>;
}

export interface SourceEvents {
  /** Changes that belong together. A key (`keyOf`) is in one of the two lists at most. */
  onChange(change: ObjectChange): void;
  /** The whole list of what cannot be read now, each time that it changes. */
  onProblems(problems: readonly SourceProblem[]): void;
}

export interface ObjectChange {
  readonly upserts: readonly KubeObject[];
  readonly deletes: readonly string[];
}

/** Something that is no object; what was last good of it is still in use. */
export interface SourceProblem {
  /** File, and document within it where that is known. */
  readonly origin: string;
  readonly field: string;
  readonly value: string;
  readonly message: string;
  readonly fix: string;
}
