import type { Sample } from './prometheus-text.ts';

/**
 * What counters have grown by between two answers of one process, a sample a series. A counter that fell was started anew with its process: all
 * that it shows has come since. So has one that was not there before.
 */
export function increases(before: readonly Sample[], after: readonly Sample[]): Sample[] {
  const earlier = new Map(before.map(({ series, value }) => [series, value]));
  return after.map(sample => {
    const was = earlier.get(sample.series) ?? 0;
    return { ...sample, value: sample.value < was ? sample.value : sample.value - was };
  });
}
