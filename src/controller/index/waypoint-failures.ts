/** Why waypoints could not be made, by `Gateway/<namespace>/<name>`. */
export class WaypointFailures {
  readonly #reasons = new Map<string, string>();

  get(key: string): string | undefined {
    return this.#reasons.get(key);
  }

  /** @param failure undefined: it could be made. @returns whether that is news */
  set(key: string, failure: string | undefined): boolean {
    if (this.#reasons.get(key) === failure) return false;
    if (failure === undefined) this.#reasons.delete(key);
    else this.#reasons.set(key, failure);
    return true;
  }
}
