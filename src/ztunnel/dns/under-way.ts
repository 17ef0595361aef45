/** Of a pod: its share of what a name server, and this process, is asked at a time. */
const MAX_OF_POD = 512;
/** Each holds a descriptor. */
const MAX_OF_PROCESS = 4_096;

/** Counts the queries that wait for a name server, so that one that is silent costs no more than this. */
export class UnderWay {
  readonly #byPod = new Map<string, number>();
  #total = 0;
  #idle: (() => void)[] = [];

  get total(): number {
    return this.#total;
  }

  /** @returns false: too many are under way, and this one is not to begin */
  begin(podUid: string): boolean {
    const ofPod = this.#byPod.get(podUid) ?? 0;
    if (ofPod >= MAX_OF_POD || this.#total >= MAX_OF_PROCESS) return false;
    this.#byPod.set(podUid, ofPod + 1);
    this.#total++;
    return true;
  }

  end(podUid: string): void {
    const left = (this.#byPod.get(podUid) ?? 0) - 1;
    if (left > 0) this.#byPod.set(podUid, left);
    else this.#byPod.delete(podUid);
    this.#total--;
    if (this.#total === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Resolves when none is. */
  whenIdle(): Promise<void> {
    return this.#total === 0 ? Promise.resolve() : new Promise(resolve => this.#idle.push(resolve));
  }
}
