import { isIP } from 'node:net';

/** A variable a tier reads. The table in docs/environment.md is compared with these by a test. */
export interface EnvVariable {
  readonly name: string;
  readonly type: string;
  /** As an operator would write it; empty when there is none. */
  readonly defaultText: string;
  readonly description: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads configuration from the environment. Every wrong value is collected, so that the operator sees all of them at once:
 * call `finish()` after the last read. Every read declares its variable, which is how the documentation is checked.
 */
export class EnvReader {
  readonly #env: Environment;
  readonly #errors: string[] = [];
  readonly #declared = new Map<string, EnvVariable>();

  constructor(env: Environment) {
    this.#env = env;
  }

  get declared(): readonly EnvVariable[] {
    return [...this.#declared.values()];
  }

  /** @throws ConfigError naming every variable that is wrong, its value, and what is accepted. */
  finish(): void {
    if (this.#errors.length > 0) throw new ConfigError(this.#errors);
  }

  /** For checks between several variables. */
  reject(name: string, problem: string): void {
    this.#errors.push(`${name}: ${problem}`);
  }

  string(name: string, defaultValue: string, description: string): string {
    return this.#read(name, 'string', defaultValue, description) ?? defaultValue;
  }

  optional(name: string, description: string): string | undefined {
    return this.#read(name, 'string', '', description);
  }

  required(name: string, description: string): string {
    const value = this.#read(name, 'string (required)', '', description);
    if (value === undefined) this.reject(name, `is not set; it is required: ${description}`);
    return value ?? '';
  }

  boolean(name: string, defaultValue: boolean, description: string): boolean {
    return this.#parse(name, 'true or false', String(defaultValue), defaultValue, description, parseBoolean);
  }

  integer(
    name: string,
    defaultValue: number,
    range: { min: number; max: number },
    description: string,
  ): number {
    const accepted = `integer ${range.min}–${range.max}`;
    return this.#parse(name, accepted, String(defaultValue), defaultValue, description, text => {
      const n = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return n >= range.min && n <= range.max ? n : undefined;
    });
  }

  oneOf<const T extends string>(name: string, values: readonly T[], defaultValue: T, description: string): T {
    return this.#parse(name, values.join(' | '), defaultValue, defaultValue, description, text =>
      values.find(v => v === text.toLowerCase()),
    );
  }

  /** Milliseconds, written as `250ms`, `10s`, `5m`, `24h`. */
  durationMs(
    name: string,
    defaultText: string,
    range: { minMs: number; maxMs: number },
    description: string,
  ): number {
    const accepted = `duration ${formatDuration(range.minMs)}–${formatDuration(range.maxMs)}`;
    const defaultMs = parseDuration(defaultText) ?? 0;
    return this.#parse(name, accepted, defaultText, defaultMs, description, text => {
      const ms = parseDuration(text);
      return ms !== undefined && ms >= range.minMs && ms <= range.maxMs ? ms : undefined;
    });
  }

  ip(name: string, defaultValue: string, description: string): string {
    return this.#parse(name, 'IPv4 or IPv6 address', defaultValue, defaultValue, description, text =>
      isIP(text) === 0 ? undefined : text,
    );
  }

  #parse<T>(
    name: string,
    accepted: string,
    defaultText: string,
    defaultValue: T,
    description: string,
    parse: (text: string) => T | undefined,
  ): T {
    const text = this.#read(name, accepted, defaultText, description);
    if (text === undefined) return defaultValue;
    const value = parse(text);
    if (value === undefined) this.reject(name, `${JSON.stringify(text)} is not accepted; use ${accepted}`);
    return value ?? defaultValue;
  }

  /** An empty variable is one that is not set, as in a manifest whose value was left blank. */
  #read(name: string, type: string, defaultText: string, description: string): string | undefined {
    this.#declared.set(name, { name, type, defaultText, description });
    const value = this.#env[name]?.trim();
    return value === undefined || value === '' ? undefined : value;
  }
}

/**
 * A whole configuration from the environment alone.
 * @param read reads every variable; what is wrong it has collected by `env`
 * @throws ConfigError naming every variable that is wrong
 */
export function readEnvironment<T>(environment: Environment, read: (env: EnvReader) => T): T {
  const env = new EnvReader(environment);
  const config = read(env);
  env.finish();
  return config;
}

export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`wrong configuration:\n${problems.map(p => `  ${p}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `250ms`, `10s`, `1.5m`, `24h`, `30d`, or undefined. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  const unit = UNIT_MS[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    const size = UNIT_MS[unit] ?? 1;
    if (ms !== 0 && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (lower === 'true' || lower === '1') return true;
  if (lower === 'false' || lower === '0') return false;
  return undefined;
}
