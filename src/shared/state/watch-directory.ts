import { watch } from 'node:fs';
import { errorMessage } from '../observability/error-message.ts';

export interface WatchOptions {
  /** Null where the kernel does not say which. */
  readonly onChange: (name: string | null) => void;
  /** Nothing is told from now on. */
  readonly onFailure: (reason: string) => void;
}

/**
 * Tells what changes in a directory. It is a help and no more: a kernel has so many watches and no more (EMFILE, ENOSPC: 128 instances
 * are shared by all that root runs on a node), and loses events under load. Whoever uses it looks by itself every now and then. Never throws.
 * @returns the function that ends it
 */
export function watchDirectory(path: string, { onChange, onFailure }: WatchOptions): () => void {
  try {
    const watcher = watch(path, (_event, name) => onChange(name));
    watcher.on('error', error => onFailure(error.message));
    return () => watcher.close();
  } catch (error) {
    onFailure(errorMessage(error));
    return () => undefined;
  }
}
