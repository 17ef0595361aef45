/**
 * The rotation of a root as a persisted state machine; pure. At every phase each live leaf chains to a trusted root:
 *
 *   stable ──prepare──► prepared ──switch──► switched ──finish──► stable
 *   one root            both trusted,        both trusted,        new root only
 *                       old one signs        new one signs
 *
 * `switch` waits until no leaf lives that was handed out without the new root: its holder would refuse the first peer
 * with a new leaf. `finish` waits until no leaf of the old root lives: everyone would refuse it.
 */

/** A root, its intermediate, and the names of their keys in the key store. */
export interface AuthorityRecord {
  readonly id: string;
  readonly rootPem: string;
  readonly rootKey: string;
  readonly intermediatePem: string;
  readonly intermediateKey: string;
}

interface Common {
  /** The authority that signs. */
  readonly active: AuthorityRecord;
  /** No leaf handed out so far ends later than this (wall clock, ms; rounded up so that it is rarely written). */
  readonly leavesUntilMs: number;
}

export type CaState =
  | (Common & { readonly phase: 'stable' })
  | (Common & {
      readonly phase: 'prepared';
      readonly next: AuthorityRecord;
      readonly oldLeavesUntilMs: number;
    })
  | (Common & {
      readonly phase: 'switched';
      readonly previous: AuthorityRecord;
      readonly oldLeavesUntilMs: number;
    });

export type Transition =
  | { readonly ok: true; readonly state: CaState }
  | { readonly ok: false; readonly reason: string };

export interface TransitionInput {
  readonly nowMs: number;
  /** The operator takes the risk that the refusal names. */
  readonly force: boolean;
  /**
   * Proxies that have not confirmed the bundle with the new root. An empty list lets `switch` go on before the old
   * leaves have ended; absent when nobody keeps that list.
   */
  readonly unconfirmed?: readonly string[];
}

/** Clocks of peers may be this far behind ours: for them an old leaf lives longer. */
const CLOCK_SKEW_MS = 60_000;

export function prepare(state: CaState, next: AuthorityRecord): Transition {
  if (state.phase !== 'stable') return wrongPhase('prepare', 'stable', state);
  const { active, leavesUntilMs } = state;
  return {
    ok: true,
    state: { phase: 'prepared', active, next, leavesUntilMs, oldLeavesUntilMs: leavesUntilMs },
  };
}

export function switchOver(state: CaState, input: TransitionInput): Transition {
  if (state.phase !== 'prepared') return wrongPhase('switch', 'prepared', state);
  const confirmed = input.unconfirmed?.length === 0;
  if (!input.force && !confirmed && isLive(state.oldLeavesUntilMs, input.nowMs)) {
    const waiting =
      input.unconfirmed === undefined ? '' : ` Not confirmed by: ${input.unconfirmed.join(', ')}.`;
    return {
      ok: false,
      reason: `leaves handed out before the new root was announced may live until ${time(state.oldLeavesUntilMs)}; their holders would refuse leaves of the new root.${waiting} Wait, or force`,
    };
  }
  const { active, next, leavesUntilMs } = state;
  return {
    ok: true,
    state: {
      phase: 'switched',
      active: next,
      previous: active,
      leavesUntilMs,
      oldLeavesUntilMs: leavesUntilMs,
    },
  };
}

export function finish(state: CaState, input: TransitionInput): Transition {
  if (state.phase !== 'switched') return wrongPhase('finish', 'switched', state);
  if (!input.force && isLive(state.oldLeavesUntilMs, input.nowMs)) {
    return {
      ok: false,
      reason: `leaves of the old root may live until ${time(state.oldLeavesUntilMs)}; without the root their holders would be cut off. Wait, or force`,
    };
  }
  return { ok: true, state: { phase: 'stable', active: state.active, leavesUntilMs: state.leavesUntilMs } };
}

/**
 * Takes leaves into account that were issued while the step from `before` to `after` was being written: they are
 * leaves of the old phase too.
 */
export function withLeavesUntil(before: CaState, after: CaState): CaState {
  const leavesUntilMs = Math.max(before.leavesUntilMs, after.leavesUntilMs);
  if (after.phase === 'stable' || after.phase === before.phase) return { ...after, leavesUntilMs };
  return { ...after, leavesUntilMs, oldLeavesUntilMs: leavesUntilMs };
}

/** Everyone whose root is trusted now, the one that signs first. */
export function trustedAuthorities(state: CaState): readonly AuthorityRecord[] {
  switch (state.phase) {
    case 'stable':
      return [state.active];
    case 'prepared':
      return [state.active, state.next];
    case 'switched':
      return [state.active, state.previous];
  }
}

function isLive(untilMs: number, nowMs: number): boolean {
  return nowMs <= untilMs + CLOCK_SKEW_MS;
}

function wrongPhase(step: string, needed: CaState['phase'], state: CaState): Transition {
  return { ok: false, reason: `${step} needs phase ${needed}, the CA is in phase ${state.phase}` };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
