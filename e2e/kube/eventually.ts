import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '#shared/observability/error-message.ts';

const POLL_MS = 100;

/**
 * Asks again until the answer is `true`, or says what is still missing.
 * @returns milliseconds it took. Rejects after the deadline with the last answer or error.
 */
export async function eventually(
  what: string,
  deadlineMs: number,
  probe: () => Promise<true | string>,
): Promise<number> {
  const started = performance.now();
  for (;;) {
    let last: true | string;
    try {
      last = await probe();
    } catch (error) {
      last = errorMessage(error);
    }
    const took = performance.now() - started;
    if (last === true) return took;
    if (took > deadlineMs) throw new Error(`${what}: not within ${deadlineMs / 1_000} s: ${last}`);
    await sleep(POLL_MS);
  }
}
