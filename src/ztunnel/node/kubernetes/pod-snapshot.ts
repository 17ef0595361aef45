import { readFile, rename, writeFile } from 'node:fs/promises';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { stagedPath } from '#shared/config/staged-file.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import type { LocalPod } from '../local-pod.ts';
import { parsePodFile } from '../pod-file.ts';
import type { PodNetns } from './pod-netns.ts';

/** A pod as it was when the note was written. */
export interface NotedPod {
  readonly pod: LocalPod;
  readonly runtimeUid: string;
  readonly netns: PodNetns;
}

/** Far more than a node's pods. */
const MAX_BYTES = 16 << 20;

/**
 * A note of the pods of this node for the next ztunnel, should it start while the API server cannot be reached. It is worth
 * something while the node runs: a namespace is recognized by its inode, and none outlives a restart of the node.
 */
export class PodSnapshot {
  readonly #path: string;
  readonly #logger: Logger;
  #writing: Promise<void> = Promise.resolve();
  #next: string | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger.child('pod_source');
  }

  /** What can be read of it; a note that is damaged counts as none. */
  async read(): Promise<NotedPod[]> {
    try {
      const text = await readFile(this.#path, 'utf8');
      return text.length > MAX_BYTES ? [] : parseSnapshot(text);
    } catch {
      return [];
    }
  }

  write(
    pods: readonly LocalPod[],
    netns: ReadonlyMap<string, PodNetns>,
    runtimeUidOf: (uid: string) => string,
  ): void {
    const noted = pods.flatMap(pod => {
      const runtimeUid = runtimeUidOf(pod.uid);
      const found = netns.get(runtimeUid);
      return found === undefined
        ? []
        : [{ pod, runtimeUid, netns: { ...found, inode: String(found.inode) } }];
    });
    const isWriting = this.#next !== undefined;
    this.#next = `${JSON.stringify({ pods: noted })}\n`;
    if (!isWriting) this.#writing = this.#writing.then(() => this.#flush());
  }

  async stop(): Promise<void> {
    await this.#writing;
  }

  async #flush(): Promise<void> {
    const text = this.#next;
    this.#next = undefined;
    if (text === undefined) return;
    const temporary = stagedPath(this.#path);
    try {
      await writeFile(temporary, text, { mode: 0o600 });
      await rename(temporary, this.#path);
    } catch (error) {
      this.#logger.warn('cannot write the note of pods for the next ztunnel', {
        path: this.#path,
        error: errorMessage(error),
      });
    }
  }
}

/** Each pod that is whole. Throws when the text is no such note. */
export function parseSnapshot(text: string): NotedPod[] {
  const note = parseJson(text);
  if (!isJsonObject(note) || !Array.isArray(note['pods'])) throw new Error('not a note of pods');
  return note['pods'].flatMap((entry: unknown) => {
    const noted = isJsonObject(entry)
      ? notedPod(entry['pod'], entry['runtimeUid'], entry['netns'])
      : undefined;
    return noted === undefined ? [] : [noted];
  });
}

function notedPod(pod: unknown, runtimeUid: unknown, netns: unknown): NotedPod | undefined {
  if (!isJsonObject(pod) || typeof pod['uid'] !== 'string' || typeof runtimeUid !== 'string')
    return undefined;
  const parsed = parsePodFile(JSON.stringify(pod), pod['uid']);
  if (!parsed.ok || !isJsonObject(netns)) return undefined;
  const { path, inode } = netns;
  if (typeof path !== 'string' || !path.startsWith('/')) return undefined;
  if (typeof inode !== 'string' || !/^\d{1,20}$/.test(inode)) return undefined;
  return { pod: parsed.pod, runtimeUid, netns: { path, inode: BigInt(inode), ips: parsed.pod.ips } };
}
