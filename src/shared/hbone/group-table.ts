import type { HboneTarget } from './hbone-target.ts';

interface Group {
  readonly target: HboneTarget;
}

/**
 * What of a pool serves which target. A table by the address that is dialled, behind which there is seldom more than one group,
 * and comparing: a key of all parts would be put together for each tunnel.
 */
export class GroupTable<G extends Group> {
  readonly #byIp = new Map<string, G[]>();

  get isEmpty(): boolean {
    return this.#byIp.size === 0;
  }

  find(target: HboneTarget): G | undefined {
    for (const group of this.#byIp.get(target.remote.ip) ?? NONE)
      if (serves(group.target, target)) return group;
    return undefined;
  }

  /** None is there yet that serves its target. */
  add(group: G): void {
    const { ip } = group.target.remote;
    const beside = this.#byIp.get(ip);
    if (beside === undefined) this.#byIp.set(ip, [group]);
    else beside.push(group);
  }

  delete(group: G): void {
    const { ip } = group.target.remote;
    const left = (this.#byIp.get(ip) ?? NONE).filter(other => other !== group);
    if (left.length === 0) this.#byIp.delete(ip);
    else this.#byIp.set(ip, left);
  }

  /** As of now: it may be changed while they are looked at. */
  all(): G[] {
    return [...this.#byIp.values()].flat();
  }
}

const NONE: readonly never[] = [];

/** Whether a session for one may carry tunnels of the other. */
function serves(a: HboneTarget, b: HboneTarget): boolean {
  return (
    a.remote.ip === b.remote.ip &&
    a.remote.port === b.remote.port &&
    a.workloadUid === b.workloadUid &&
    a.sourceIdentity === b.sourceIdentity &&
    areSame(a.destinationIdentities, b.destinationIdentities)
  );
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((identity, i) => identity === b[i]));
}
