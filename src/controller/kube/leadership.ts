/**
 * Work that one replica alone does: writing statuses, making deployments. It is started when this replica becomes the
 * leader and stopped when it is no longer sure to be; it may be started again later.
 */
export interface LeaderTask {
  /** For the log. */
  readonly name: string;
  /** Returns at once: the lease is renewed meanwhile by nobody else. */
  start(): void;
  /** Resolves when nothing of it is written any more. */
  stop(): void | Promise<void>;
}

export interface Leadership {
  readonly isLeader: boolean;
  /** Starts it at once when this replica leads. */
  add(task: LeaderTask): void;
}

/** A controller that is alone. */
export class SoleLeader implements Leadership {
  readonly isLeader = true;
  readonly #tasks: LeaderTask[] = [];

  add(task: LeaderTask): void {
    this.#tasks.push(task);
    task.start();
  }

  async stop(): Promise<void> {
    for (const task of this.#tasks.toReversed()) await task.stop();
  }
}
