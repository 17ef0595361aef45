/** Ready when every named task is done; until then it can say what it waits for. */
export class Readiness {
  readonly #pending = new Map<string, number>();
  readonly #onReady: () => void;
  #wasReady = false;

  constructor(onReady: () => void = () => undefined) {
    this.#onReady = onReady;
  }

  /** @returns a function to call, once, when the task is done. */
  register(task: string): () => void {
    this.#pending.set(task, (this.#pending.get(task) ?? 0) + 1);
    let done = false;
    return () => {
      if (done) return;
      done = true;
      const left = (this.#pending.get(task) ?? 1) - 1;
      if (left === 0) this.#pending.delete(task);
      else this.#pending.set(task, left);
      this.#announce();
    };
  }

  get ready(): boolean {
    return this.#pending.size === 0;
  }

  get waitingFor(): readonly string[] {
    return [...this.#pending.keys()].sort();
  }

  #announce(): void {
    if (!this.ready || this.#wasReady) return;
    this.#wasReady = true;
    this.#onReady();
  }
}
