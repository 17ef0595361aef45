import { isoTime } from './iso-time.ts';
import type { BytesWriter } from './line-sink.ts';
import { LogBytes } from './log-bytes.ts';
import { formatLogValue, type LogFormat } from './logger.ts';

export type AccessValue = string | number | boolean | undefined;
export type AccessLevel = 'info' | 'warn' | 'error';

export interface AccessLogOptions {
  readonly format: LogFormat;
  readonly writer: BytesWriter;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** `connection` at ztunnel, `request` at a waypoint. */
  readonly subject: 'connection' | 'request';
}

/** Fields as they stand in a line of one log; for what many lines have in common. */
export interface RenderedFields {
  readonly bytes: Uint8Array;
}

const TAB = 0x09;
const SPACE = 0x20;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const CLOSING_BRACE = 0x7d;
const QUOTE = 0x22;

/**
 * One line for each connection or request, written when it ends (or is refused). Fields keep the order they are given
 * in; undefined ones are left out. Values may come from a peer: they are escaped, so no line can be forged.
 */
export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #isJson: boolean;
  readonly #line = new LogBytes({ firstBytes: 2 * 1024, maxKeptBytes: 64 * 1024 });
  #separator = 0;

  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#isJson = options.format === 'json';
  }

  /** A whole line. `fields`: name, value, name, value… `level` is `error` where the connection or request failed. */
  write(level: AccessLevel, message: string, fields: readonly AccessValue[]): void {
    this.begin(level, message);
    this.#fields(fields);
    this.end();
  }

  /** Fields follow, then `end`; nothing else of this log comes in between. */
  begin(level: AccessLevel, message: string): void {
    const { now, subject } = this.#options;
    const line = this.#line;
    const time = isoTime(now());
    line.clear();
    if (this.#isJson) {
      line.ascii(
        `{"time":"${time}","level":"${level}","scope":"access","message":${JSON.stringify(`${subject} ${message}`)}`,
      );
      this.#separator = COMMA;
      return;
    }
    line.ascii(time);
    line.byte(TAB);
    line.ascii(level);
    line.ascii('\taccess\t');
    line.ascii(subject);
    line.byte(SPACE);
    line.ascii(message);
    this.#separator = TAB;
  }

  end(): void {
    if (this.#isJson) this.#line.byte(CLOSING_BRACE);
    else if (this.#separator === TAB) this.#line.byte(TAB);
    this.#options.writer.writeBytes(this.#line.bytes, this.#line.length);
  }

  /** @param name of ASCII that needs no quotes */
  field(name: string, value: AccessValue): void {
    if (value === undefined) return;
    this.#name(name);
    if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#string(value);
    else this.#line.ascii(value ? 'true' : 'false');
  }

  /** As text with its unit: `"1.5ms"`. */
  milliseconds(name: string, ms: number): void {
    this.#name(name);
    this.#line.byte(QUOTE);
    this.#line.milliseconds(ms);
    this.#line.ascii('ms"');
  }

  rendered({ bytes }: RenderedFields): void {
    if (bytes.length === 0) return;
    this.#separate();
    this.#line.append(bytes);
  }

  /** Not between `begin` and `end`. */
  render(fields: readonly AccessValue[]): RenderedFields {
    this.#line.clear();
    this.#separator = 0;
    this.#fields(fields);
    return { bytes: this.#line.copy() };
  }

  #fields(fields: readonly AccessValue[]): void {
    for (let i = 0; i < fields.length; i += 2) this.field(String(fields[i]), fields[i + 1]);
  }

  #separate(): void {
    if (this.#separator !== 0) this.#line.byte(this.#separator);
    this.#separator = this.#isJson ? COMMA : SPACE;
  }

  #name(name: string): void {
    this.#separate();
    if (!this.#isJson) {
      this.#line.ascii(name);
      this.#line.byte(EQUALS);
      return;
    }
    this.#line.byte(QUOTE);
    this.#line.ascii(name);
    this.#line.ascii('":');
  }

  /** JSON has no word for what is not a number. */
  #number(value: number): void {
    if (this.#isJson && !Number.isFinite(value)) this.#line.ascii('null');
    else this.#line.number(value);
  }

  #string(value: string): void {
    if (this.#line.plainQuoted(value)) return;
    this.#line.text(this.#isJson ? JSON.stringify(value) : formatLogValue(value));
  }
}
