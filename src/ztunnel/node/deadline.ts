import type { Clock } from '#shared/lifecycle/clock.ts';

/** Rejects, naming the culprit, when `work` takes longer; `work` itself goes on and its outcome is ignored then. */
export function withDeadline<T>(
  clock: Clock,
  deadlineMs: number,
  culprit: string,
  work: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(deadlineMs, () =>
      reject(new Error(`waited ${deadlineMs} ms for ${culprit}`)),
    );
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
