import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Clock } from '../lifecycle/clock.ts';
import { errorMessage } from '../observability/error-message.ts';
import type { Logger } from '../observability/logger.ts';
import type { StateFile } from '../state/state-file.ts';
import { decodeDeltaResponse, encodeDeltaResponse } from './delta-message.ts';
import { decodeResource, encodeResource, parseResourceType, RESOURCE_TYPES } from './mesh-resource.ts';
import type { HeldResource, ResourceCache } from './resource-cache.ts';

export interface SnapshotFileOptions {
  readonly file: StateFile;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Changes within this time are written together. Default 1 s. */
  readonly debounceMs?: number;
}

const MAGIC = Buffer.from('AMBIENT-SNAPSHOT');
const FORMAT_VERSION = 1;
const DIGEST_BYTES = 32;
const HEADER_BYTES = MAGIC.length + 4 + DIGEST_BYTES;
const DEFAULT_DEBOUNCE_MS = 1_000;
const MAX_BUSY_SHARE = 0.05;

/**
 * The accepted resources on disk, for a restart without the controller:
 *
 *     magic (16) | format version (uint32) | SHA-256 of the rest | (length (uint32) | DeltaDiscoveryResponse)*
 *
 * one message a resource type. The checksum is against torn writes and bit rot, not against an attacker: who can write there can write policy.
 */
export class SnapshotFile {
  readonly #options: SnapshotFileOptions;
  #formatMs = 0;

  constructor(options: SnapshotFileOptions) {
    this.#options = options;
  }

  /** What the file holds; nothing, with the reason logged, when it is absent, damaged or of another format. */
  load(): readonly HeldResource[] {
    const { file, logger } = this.#options;
    const { path } = file;
    try {
      const held = parseSnapshot(readFileSync(path), reason => {
        logger.warn('resource of the snapshot is not acceptable and left out', { path, reason });
      });
      logger.info('configuration restored from the snapshot', { path, resources: held.length });
      return held;
    } catch (error) {
      if (isNotFound(error)) logger.info('no configuration snapshot yet', { path });
      else logger.error('configuration snapshot ignored', { path, reason: errorMessage(error) });
      return [];
    }
  }

  /** Writes `cache`, as it is then, a little later. */
  schedule(cache: ResourceCache): void {
    const { clock, debounceMs = DEFAULT_DEBOUNCE_MS, file } = this.#options;
    const content = (): Buffer => {
      const startedAt = clock.monotonic();
      const formatted = formatSnapshot(cache);
      this.#formatMs = clock.monotonic() - startedAt;
      return formatted;
    };
    // A large mesh that never rests must not keep the thread busy with writing it down.
    file.schedule(content, Math.max(debounceMs, this.#formatMs / MAX_BUSY_SHARE));
  }

  /** Writes what is unwritten, and nothing any more afterwards. Never rejects. */
  close(): Promise<void> {
    return this.#options.file.close();
  }
}

export function formatSnapshot(held: Iterable<HeldResource>): Buffer {
  const all = [...held];
  const parts = RESOURCE_TYPES.map(type => {
    const resources = all
      .filter(h => h.type === type)
      .map(({ name, version, aliases, resource }) => {
        return { name, version, aliases, typeUrl: type, value: encodeResource(resource) };
      });
    const message = encodeDeltaResponse({
      typeUrl: type,
      nonce: '',
      systemVersion: '',
      resources,
      removed: [],
      moreFollows: false,
    });
    return Buffer.concat([uint32(message.length), message]);
  });
  const body = Buffer.concat(parts);
  return Buffer.concat([MAGIC, uint32(FORMAT_VERSION), sha256(body), body]);
}

/** @throws Error saying what is wrong with the file as a whole; single bad resources go to `onRejected`. */
export function parseSnapshot(file: Buffer, onRejected: (reason: string) => void): readonly HeldResource[] {
  if (file.length < HEADER_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new Error('not a configuration snapshot');
  }
  const version = file.readUInt32BE(MAGIC.length);
  if (version !== FORMAT_VERSION)
    throw new Error(`format version ${version}; this build reads ${FORMAT_VERSION}`);
  const body = file.subarray(HEADER_BYTES);
  if (!sha256(body).equals(file.subarray(HEADER_BYTES - DIGEST_BYTES, HEADER_BYTES))) {
    throw new Error('checksum does not match: the file is damaged');
  }
  const held: HeldResource[] = [];
  for (let at = 0; at < body.length; ) {
    if (at + 4 > body.length) throw new Error('truncated');
    const end = at + 4 + body.readUInt32BE(at);
    if (end > body.length) throw new Error('truncated');
    held.push(...parseType(body.subarray(at + 4, end), onRejected));
    at = end;
  }
  return held;
}

function parseType(bytes: Buffer, onRejected: (reason: string) => void): readonly HeldResource[] {
  const message = decodeDeltaResponse(bytes);
  const type = parseResourceType(message.typeUrl);
  // Written by a newer build: what we do not know we do not need.
  if (type === undefined) return [];
  return message.resources.flatMap(({ name, version, aliases, value }) => {
    const decoded = decodeResource(type, name, value);
    if (decoded.ok) return [{ type, name, version, aliases, resource: decoded.resource }];
    onRejected(`${name}: ${decoded.reason}`);
    return [];
  });
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
