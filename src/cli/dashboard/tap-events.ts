import type { TapEvent, TapNote } from '#shared/dashboard/frames.ts';
import type { JsonObject } from '#shared/config/json.ts';
import { text } from '#shared/config/json-fields.ts';

/** Requests whose end is waited for. */
const MAX_PENDING = 500;

/** Turns what one waypoint's tap says into what a page shows: the end of a request tells all that its beginning did. */
export class TapEvents {
  readonly #waypoint: string;
  readonly #now: () => number;
  readonly #pending = new Map<string, TapEvent>();

  constructor(waypoint: string, now: () => number) {
    this.#waypoint = waypoint;
    this.#now = now;
  }

  /** Undefined: it says nothing that is shown. */
  read(event: JsonObject): TapEvent | TapNote | undefined {
    const key = `${this.#waypoint}/${text(event, 'id')}`;
    switch (text(event, 'event')) {
      case 'request':
        return this.#begin(key, event);
      case 'end':
        return this.#end(key, event);
      case 'skipped':
        return { note: `${text(event, 'requests')} more requests matched than are shown` };
      case 'lost':
        return { note: `${text(event, 'lines')} lines were lost on the way` };
      case 'refused':
        return { note: `waypoint ${this.#waypoint}: ${text(event, 'reason')}` };
      default:
        return undefined;
    }
  }

  #begin(key: string, event: JsonObject): TapEvent {
    const begun: TapEvent = {
      key,
      over: false,
      atMs: timeOf(text(event, 'time')) ?? this.#now(),
      source: joined(event, 'src') || text(event, 'src.addr'),
      secure: text(event, 'src.identity') !== '',
      service: [text(event, 'dst.namespace'), text(event, 'dst.service').split('.')[0]].join('/'),
      method: text(event, 'method'),
      authority: text(event, 'authority'),
      path: text(event, 'path'),
      status: '',
      durationMs: null,
      destination: '',
      route: '',
      flags: '',
      error: '',
    };
    this.#pending.set(key, begun);
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > MAX_PENDING && oldest !== undefined) this.#pending.delete(oldest);
    return begun;
  }

  #end(key: string, event: JsonObject): TapEvent | undefined {
    const begun = this.#pending.get(key);
    if (begun === undefined) return undefined;
    this.#pending.delete(key);
    const grpc = text(event, 'grpc_status');
    const duration = Number(text(event, 'duration_ms'));
    const flags = text(event, 'response_flags');
    return {
      ...begun,
      over: true,
      status: text(event, 'response_code') + (grpc === '' ? '' : ` grpc ${grpc}`),
      durationMs: Number.isFinite(duration) ? duration : null,
      destination: joined(event, 'dst') || text(event, 'dst.addr'),
      route: text(event, 'route'),
      flags: flags === '-' ? '' : flags,
      error: text(event, 'error'),
    };
  }
}

function joined(event: JsonObject, side: string): string {
  const name = text(event, `${side}.workload`);
  return name === '' ? '' : `${text(event, `${side}.namespace`)}/${name}`;
}

function timeOf(time: string): number | undefined {
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}
