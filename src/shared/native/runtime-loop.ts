import { DynamicLibrary, getCurrentEventLoop } from 'node:ffi';
import { NativeMemory } from './native-memory.ts';

/**
 * The runtime's own event loop (libuv), as far as another loop on the same thread has to know it. The symbols are
 * libuv's public interface, which the runtime exports.
 */
const DEFINITIONS = {
  uv_backend_fd: { arguments: ['pointer'], return: 'i32' },
  uv_handle_size: { arguments: ['i32'], return: 'u64' },
  uv_poll_init: { arguments: ['pointer', 'pointer', 'i32'], return: 'i32' },
  uv_poll_start: { arguments: ['pointer', 'i32', 'pointer'], return: 'i32' },
  uv_ref: { arguments: ['pointer'], return: 'void' },
  uv_unref: { arguments: ['pointer'], return: 'void' },
} as const;

/** include/uv.h */
const UV_POLL_HANDLE = 8;
const UV_READABLE = 1;

const library = new DynamicLibrary(null);

function load() {
  return library.getFunctions(DEFINITIONS);
}

/** The descriptor that becomes readable when the runtime has something to do on this thread. uv_backend_fd(3) */
export function runtimeLoopFd(): number {
  return load().uv_backend_fd(getCurrentEventLoop());
}

/** The runtime's loop watches a descriptor for us. It does for the rest of the process's life. */
export interface RuntimePoll {
  /** While referenced it keeps the process alive. */
  ref(): void;
  unref(): void;
}

/**
 * Has the runtime's loop call `onReadable` when `fd` is readable, outside any turn of ours: it should only schedule work.
 * For the main thread alone: a worker thread whose loop still holds a foreign handle when it ends aborts the process.
 */
export function pollInRuntimeLoop(fd: number, onReadable: () => void): RuntimePoll {
  const uv = load();
  const handle = new NativeMemory(Number(uv.uv_handle_size(UV_POLL_HANDLE)));
  const callback = library.registerCallback({ arguments: ['pointer', 'i32', 'i32'], return: 'void' }, () =>
    onReadable(),
  );
  // Never freed: libuv holds both until the process ends.
  kept.push({ handle, callback });
  required(uv.uv_poll_init(getCurrentEventLoop(), handle.address, fd), 'uv_poll_init');
  required(uv.uv_poll_start(handle.address, UV_READABLE, callback), 'uv_poll_start');
  return {
    ref: () => uv.uv_ref(handle.address),
    unref: () => uv.uv_unref(handle.address),
  };
}

const kept: { readonly handle: NativeMemory; readonly callback: bigint }[] = [];

function required(status: number, what: string): void {
  if (status < 0) throw new Error(`${what}: error ${status} of the runtime's event loop`);
}
