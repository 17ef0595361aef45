/** Each through an API server is a connection of its own. */
const MAX_AT_ONCE = 16;

/** As `Promise.allSettled`, some at a time, so that a large mesh is not asked all at once. */
export async function settleEach<I, T>(
  items: readonly I[],
  ask: (item: I) => Promise<T>,
): Promise<readonly PromiseSettledResult<T>[]> {
  const outcomes: PromiseSettledResult<T>[] = [];
  const waiting = items.entries();
  const askInTurn = async (): Promise<void> => {
    for (const [i, item] of waiting) {
      const [outcome] = await Promise.allSettled([ask(item)]);
      outcomes[i] = outcome;
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_AT_ONCE, items.length) }, askInTurn));
  return outcomes;
}
