import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { MeshUnderTest, Need } from './mesh-under-test.ts';

/** One sentence about the mesh, and how to see that it holds. */
export interface Check {
  readonly name: string;
  /** A mesh that lacks it cannot show whether the sentence holds. */
  readonly needs?: Need;
  /** @returns what was seen, for the line that is printed. Throws when the sentence does not hold. */
  run(mesh: MeshUnderTest): Promise<string>;
}

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Neither passed nor failed: the mesh lacks what it takes to show them. */
  readonly skipped: number;
}

/** The last line: `N passed, N failed`, and what was skipped where something was. */
export function describeOutcome({ passed, failed, skipped }: Outcome): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

/** Runs the checks in order, one line each. A check that fails does not keep the next from running. */
export async function runChecks(
  checks: readonly Check[],
  mesh: MeshUnderTest,
  print: (line: string) => void,
): Promise<Outcome> {
  let [passed, failed, skipped] = [0, 0, 0];
  for (const check of checks) {
    const lacking = check.needs === undefined ? undefined : mesh.lacks(check.needs);
    if (lacking !== undefined) {
      skipped++;
      print(`skip  ${check.name}: ${lacking}`);
      continue;
    }
    const started = performance.now();
    try {
      const seen = await check.run(mesh);
      passed++;
      print(`ok    ${check.name} (${seen}; ${seconds(started)})`);
    } catch (error) {
      failed++;
      print(`FAIL  ${check.name}: ${errorMessage(error)} (${seconds(started)})`);
    }
  }
  return { passed, failed, skipped };
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1_000).toFixed(1)} s`;
}

const POLL_MS = 100;

/** Tries until `attempt` succeeds; at the deadline throws its last error. */
export async function eventually<T>(deadlineMs: number, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > until) throw error;
      await sleep(POLL_MS);
    }
  }
}

export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
