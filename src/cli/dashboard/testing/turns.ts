import { setImmediate } from 'node:timers/promises';

/** Lets everything happen that waits for nothing but its turn. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await setImmediate();
}
