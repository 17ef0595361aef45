import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { type Diagnostic, formatDiagnostic } from '../translate/diagnostic.ts';

/** A condition as it should be; when it last changed is known when it is written. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** As the API server bounds it. */
const MAX_MESSAGE_CHARS = 32_768;
/** Of one object's mistakes, as many as somebody will read. */
const MAX_DIAGNOSTICS = 10;

export function isTrue(type: string, reason: string, message = ''): Condition {
  return { type, status: 'True', reason, message };
}

export function isFalse(type: string, reason: string, message: string): Condition {
  return { type, status: 'False', reason, message };
}

/** What is wrong with an object, field by field, in one text; what it is refused for comes first. */
export function messageOf(diagnostics: readonly Diagnostic[]): string {
  const byWeight = Array.from(diagnostics).toSorted((a, b) => weightOf(a) - weightOf(b));
  const shown = byWeight.slice(0, MAX_DIAGNOSTICS).map(formatDiagnostic);
  const more = diagnostics.length - shown.length;
  return shown.join('\n') + (more > 0 ? `\nand ${more} more` : '');
}

function weightOf({ severity }: Diagnostic): number {
  return severity === 'rejected' ? 0 : 1;
}

/**
 * The conditions of an object with ours as they should be. Those of other types belong to others and stay; of `owned`
 * types that are not wanted none is left. A condition whose status stays keeps the time it has it since.
 */
export function mergeConditions(
  present: unknown,
  wanted: readonly Condition[],
  owned: readonly string[],
  generation: number,
  now: string,
): readonly JsonObject[] {
  const before = Array.isArray(present) ? present.filter(isJsonObject) : [];
  const others = before.filter(({ type }) => typeof type === 'string' && !owned.includes(type));
  const ours = wanted.map(({ message, reason, status, type }) => {
    const same = before.find(condition => condition['type'] === type && condition['status'] === status);
    return {
      type,
      status,
      reason,
      message: message.slice(0, MAX_MESSAGE_CHARS),
      // Kinds without a generation (Service) have nothing to be observed.
      ...(generation > 0 && { observedGeneration: generation }),
      lastTransitionTime: same?.['lastTransitionTime'] ?? now,
    };
  });
  return [...others, ...ours];
}
