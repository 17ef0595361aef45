/**
 * What is amiss in a process that goes on all the same, for as long as it lasts: shown to whoever asks the process how it is
 * (`/healthz/ready`, `warnings` of `/config_dump`), which `ambientctl check` does.
 */
export class StandingFaults {
  readonly #sentences = new Map<string, string>();

  /** @param sentence names the thing and what to do; undefined: it is well again */
  set(key: string, sentence: string | undefined): void {
    if (sentence === undefined) this.#sentences.delete(key);
    else this.#sentences.set(key, sentence);
  }

  get sentences(): readonly string[] {
    return [...this.#sentences.values()];
  }
}
