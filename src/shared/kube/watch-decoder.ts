import { StringDecoder } from 'node:string_decoder';
import { isJsonObject, type JsonObject, parseJson } from '../config/json.ts';

/** One line of a watch. `object` of an ERROR is a `Status`. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: JsonObject;
}

/** etcd takes objects of 1.5 MB; as JSON, escaped, they are a few times that. */
const MAX_LINE_CHARS = 16 * 1024 * 1024;
const TYPES: readonly WatchEvent['type'][] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];

/** Cuts a watch's bytes into events: one JSON object a line. */
export class WatchDecoder {
  readonly #utf8 = new StringDecoder('utf8');
  #rest = '';

  /** @throws Error when a line is too long or no watch event: what follows it cannot be trusted. */
  push(chunk: Buffer): WatchEvent[] {
    const lines = (this.#rest + this.#utf8.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE_CHARS)
      throw new Error(`watch: a line of more than ${MAX_LINE_CHARS} characters`);
    return lines.filter(line => line !== '').map(parseEvent);
  }
}

function parseEvent(line: string): WatchEvent {
  const value = parseJson(line);
  if (!isJsonObject(value) || !isJsonObject(value['object'])) throw new Error('watch: a line is no event');
  const type = TYPES.find(known => known === value['type']);
  if (type === undefined) throw new Error(`watch: event of type ${JSON.stringify(value['type'])}`);
  return { type, object: value['object'] };
}
