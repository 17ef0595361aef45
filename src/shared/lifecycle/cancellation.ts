/** What a caller gives up by: the part of `AbortSignal` that connecting uses. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options: { readonly once: true }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/**
 * A signal for one listener, cancelled by its owner. For what is made with every connection: an `AbortController` with its
 * event targets costs as much as the system calls it would save.
 */
export class Cancellation implements CancelSignal {
  aborted = false;
  #listener: (() => void) | undefined;

  /** Throws when there is one already. */
  addEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener !== undefined) throw new Error('a cancellation has one listener');
    this.#listener = listener;
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === listener) this.#listener = undefined;
  }

  /** Tells the listener, once. */
  cancel(): void {
    if (this.aborted) return;
    this.aborted = true;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.();
  }
}
