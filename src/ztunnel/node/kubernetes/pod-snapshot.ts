import { readFile } from 'node:fs/promises';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { StateFile } from '#shared/state/state-file.ts';
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
  readonly #file: StateFile;

  constructor(file: StateFile) {
    this.#file = file;
  }

  /** What can be read of it; a note that is damaged counts as none. */
  async read(): Promise<NotedPod[]> {
    try {
      const text = await readFile(this.#file.path, 'utf8');
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
    const text = `${JSON.stringify({ pods: noted })}\n`;
    this.#file.schedule(() => text, 0);
    void this.#file.flush();
  }

  stop(): Promise<void> {
    return this.#file.close();
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
